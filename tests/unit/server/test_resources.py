import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["metadata", "spec", "status", "data", "kind", "apiVersion", "dryRun", "preconditions"])
QUERY = st.dictionaries(
    st.sampled_from(
        [
            "labelSelector",
            "fieldSelector",
            "limit",
            "continue",
            "resourceVersion",
            "resourceVersionMatch",
            "dryRun",
            "fieldValidation",
            "includeObject",
            "gracePeriodSeconds",
            "propagationPolicy",
        ]
    ),
    st.text(max_size=12) | st.sampled_from(["0", "1", "All", "Strict", "metadata.name=a", "a in (b)"]),
    max_size=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from(
        [MAPS, f"{MAPS}/a", VMS, f"{VMS}/web", f"{VMS}/web/status", f"{SUB}/virtualmachines/web/stop"]
    ),
    body=st.dictionaries(FIELDS, JSON, max_size=4) | JSON,
    query=QUERY,
    kind=st.sampled_from(
        ["application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json"]
    ),
    accept=st.sampled_from(["", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io", ";;,=", "*/*;q=x"]),
)
async def test_no_request_is_a_defect(
    client: Client, method: str, path: str, body: object, query: dict[str, str], kind: str, accept: str
) -> None:
    if (await client.get(f"{VMS}/web")).status == 404:
        await created(client, VMS, vm())
    answer = await client.request(method, path, body, query=query, content_type=kind, headers={"accept": accept})
    reason = answer.json().get("reason") if answer.headers.get("content-type") == "application/json" else ""
    assert reason != "InternalError" or "resourceVersion should not be set" in answer.json()["message"], answer
