import pytest

from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import MAPS, SUB, VMS, created, vm

NOT_FOUND = b"404 page not found\n"


@pytest.mark.parametrize(
    "path",
    [
        "/apis/kubevirt.io/v1/virtualmachines/web",
        "/apis/kubevirt.io/v2/virtualmachines",
        "/apis/kubevirt.io/v1/nope",
        "/api/v1/namespaces/default/nope",
        "/api/v1/namespaces/default/namespaces",
        f"{VMS}/web/scale",
        f"{VMS}/web/status/more",
        f"{MAPS}/a/status",
        "/api/v1/",
        "/apis/kubevirt.io/v1//virtualmachines",
    ],
)
async def test_paths_that_mean_nothing(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.body) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", MAPS),
        ("PATCH", MAPS),
        ("POST", f"{MAPS}/a"),
        ("DELETE", f"{VMS}/web/status"),
        ("POST", "/api/v1/watch/configmaps"),
        ("HEAD", MAPS),
        ("OPTIONS", MAPS),
    ],
)
async def test_methods_that_do_not_fit(client: Client, method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert (answer.status, answer.json()["reason"]) == (405, "MethodNotAllowed")


async def test_all_verbs_have_handlers(client: Client) -> None:
    await created(client, VMS, vm())
    assert (await client.get(f"{VMS}/")).status == 200
    assert (await client.get("/apis/kubevirt.io/v1/virtualmachines")).status == 200
    assert (await client.delete(VMS)).status == 200


async def test_namespaces_are_a_resource_and_a_part_of_paths(client: Client) -> None:
    names = [n["metadata"]["name"] for n in (await client.get("/api/v1/namespaces")).json()["items"]]
    assert "default" in names
    assert (await client.get("/api/v1/namespaces/default")).json()["kind"] == "Namespace"
    assert (await client.get("/api/v1/namespaces/default/status")).json()["kind"] == "Namespace"


async def test_a_defect_is_a_status(client: Client, operations: FakeOperations) -> None:
    operations.failure = KeyError("secret")
    answer = await client.put(f"{SUB}/virtualmachines/web/start", {})
    assert (answer.status, answer.json()["reason"]) == (500, "InternalError")
    assert "secret" not in answer.json()["message"]


async def test_names_that_look_like_paths(client: Client) -> None:
    for name in ("..", "a/../b", "%2e%2e"):
        assert (await client.get(f"{MAPS}/{name}")).status == 404
