import pytest

from solovirt.kit.errors import BadRequest, Conflict, GuestError, NotFound
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import SUB

VM = f"{SUB}/virtualmachines/web"
VMI = f"{SUB}/virtualmachineinstances/web"


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        (f"{VM}/start", {}, ("start", {"paused": False, "dry_run": False})),
        (f"{VM}/start", {"paused": True}, ("start", {"paused": True, "dry_run": False})),
        (f"{VM}/start", {"dryRun": ["All"]}, ("start", {"paused": False, "dry_run": True})),
        (f"{VM}/stop", {}, ("stop", {"grace_period": None, "dry_run": False})),
        (f"{VM}/stop", {"gracePeriod": 0}, ("stop", {"grace_period": 0, "dry_run": False})),
        (f"{VM}/restart", {"gracePeriodSeconds": 0}, ("restart", {"grace_period": 0, "dry_run": False})),
        (f"{VM}/restart", {"gracePeriodSeconds": None}, ("restart", {"grace_period": None, "dry_run": False})),
    ],
)
async def test_virtctl_on_a_vm(
    client: Client, operations: FakeOperations, path: str, body: object, wanted: object
) -> None:
    answer = await client.put(path, body, content_type=None)
    assert (answer.status, answer.body) == (202, b"")
    assert "content-type" not in answer.headers
    [(verb, namespace, name, options)] = operations.calls
    assert ((verb, options), namespace, name) == (wanted, "default", "web")


@pytest.mark.parametrize("verb", ["pause", "unpause"])
async def test_virtctl_on_an_instance(client: Client, operations: FakeOperations, verb: str) -> None:
    answer = await client.put(f"{VMI}/{verb}", {"dryRun": ["All"]}, content_type=None)
    assert (answer.status, answer.body) == (200, b"")
    assert operations.calls == [(verb, "default", "web", {"dry_run": True})]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", None),
        (b"paused: true\n", None),
        (b"{}", "application/json"),
        (b"null", None),
        (b'{"kind":"StartOptions","apiVersion":"kubevirt.io/v1"}', "text/plain"),
    ],
)
async def test_bodies_of_all_kinds(client: Client, body: bytes, kind: str | None) -> None:
    answer = await client.put(f"{VM}/start", body, content_type=kind)
    assert answer.status == 202, answer


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{VM}/start", {"pause": True}),
        (f"{VM}/start", {"paused": "yes"}),
        (f"{VM}/start", [1]),
        (f"{VM}/stop", {"gracePeriod": -1}),
        (f"{VM}/stop", {"gracePeriod": True}),
        (f"{VM}/stop", {"gracePeriodSeconds": 0}),
        (f"{VM}/restart", {"gracePeriodSeconds": 5}),
        (f"{VM}/stop", {"dryRun": "All"}),
        (f"{VMI}/pause", b"{"),
        (f"{VMI}/pause", b"a: ["),
    ],
)
async def test_nothing_is_accepted_and_ignored(
    client: Client, operations: FakeOperations, path: str, body: object
) -> None:
    answer = await client.put(path, body, content_type=None)
    assert answer.status == 400, answer
    assert answer.json()["kind"] == "Status"
    assert operations.calls == []


@pytest.mark.parametrize("verb", ["guestosinfo", "userlist", "filesystemlist"])
async def test_what_the_agent_tells(client: Client, operations: FakeOperations, verb: str) -> None:
    answer = await client.get(f"{VMI}/{verb}", headers={"accept": "*/*"})
    assert answer.status == 200 and isinstance(answer.json(), dict)
    assert operations.calls == [(verb, "default", "web", {})]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (
            Conflict('Operation cannot be fulfilled on virtualmachine.kubevirt.io "web": VM is already running'),
            409,
            "Conflict",
        ),
        (NotFound('virtualmachine.kubevirt.io "web" not found'), 404, "NotFound"),
        (BadRequest("VMI is not running"), 400, "BadRequest"),
        (GuestError("it failed", reason="AgentTimeout"), 500, "AgentTimeout"),
    ],
)
async def test_refusals(client: Client, operations: FakeOperations, error: Exception, code: int, reason: str) -> None:
    operations.failure = error
    answer = await client.put(f"{VM}/start", {}, content_type=None)
    body = answer.json()
    assert (answer.status, body["reason"], body["message"]) == (code, reason, str(error))
    assert body["details"]["kind"] == "virtualmachines"


async def test_older_version_is_the_same(client: Client, operations: FakeOperations) -> None:
    answer = await client.put(f"{VM.replace('/v1/', '/v1alpha3/')}/start", {})
    assert (answer.status, len(operations.calls)) == (202, 1)


@pytest.mark.parametrize(
    "path",
    [f"{VMI}/nope", f"{VMI}/start", f"{VM}/pause", VM, f"{SUB.replace('/v1/', '/v2/')}/virtualmachines/web/start"],
)
async def test_unknown_subresources(client: Client, path: str) -> None:
    answer = await client.put(path, {})
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", f"{VM}/start"), ("GET", f"{VM}/stop"), ("PUT", f"{VMI}/userlist")]
)
async def test_wrong_methods(client: Client, method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert (answer.status, answer.json()["reason"]) == (405, "MethodNotAllowed")


async def test_group_level(client: Client) -> None:
    base = "/apis/subresources.kubevirt.io/v1"
    assert (await client.get(f"{base}/version")).json()["gitVersion"].startswith("v1.")
    assert (await client.get(f"{base}/healthz")).json()["apiserver"]["connectivity"] == "ok"
    assert (await client.get(f"{base}/guestfs")).status == 404
    assert (await client.put(f"{base}/version", {})).status == 405


async def test_console_without_upgrade(client: Client) -> None:
    answer = await client.get(f"{VMI}/console")
    assert answer.status == 400 and "websocket" in answer.json()["message"]
