import pytest

from tests.support.asgi import Client
from tests.unit.server.manifests import MAPS, VMS, created, created_map, vm


async def test_delete_like_kubectl(client: Client) -> None:
    made = await created(client, VMS, vm())
    answer = await client.delete(f"{VMS}/web", {"propagationPolicy": "Background"})
    assert answer.status == 200
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": "web",
            "group": "kubevirt.io",
            "kind": "virtualmachines",
            "uid": made["metadata"]["uid"],
        },
    }
    assert (await client.get(f"{VMS}/web")).status == 404
    assert (await client.delete(f"{VMS}/web")).status == 404


async def test_finalizers_hold_the_object(client: Client) -> None:
    made = await created_map(client, "a")
    await client.merge(f"{MAPS}/a", {"metadata": {"finalizers": ["example.com/hold"]}})
    answer = await client.delete(f"{MAPS}/a")
    assert answer.status == 200 and answer.json()["kind"] == "ConfigMap"
    assert answer.json()["metadata"]["deletionTimestamp"]
    again = await client.delete(f"{MAPS}/a")
    assert again.json()["metadata"]["deletionTimestamp"] == answer.json()["metadata"]["deletionTimestamp"]
    gone = await client.merge(f"{MAPS}/a", {"metadata": {"finalizers": None}})
    assert gone.status == 200 and gone.json()["metadata"]["uid"] == made["metadata"]["uid"]
    assert (await client.get(f"{MAPS}/a")).status == 404


@pytest.mark.parametrize("where", ["body", "query"])
async def test_dry_run(client: Client, where: str) -> None:
    await created_map(client, "a")
    if where == "body":
        answer = await client.delete(f"{MAPS}/a", {"dryRun": ["All"]})
    else:
        answer = await client.delete(f"{MAPS}/a?dryRun=All")
    assert answer.status == 200 and (await client.get(f"{MAPS}/a")).status == 200


async def test_preconditions(client: Client) -> None:
    made = await created_map(client, "a")
    answer = await client.delete(f"{MAPS}/a", {"preconditions": {"uid": "another"}})
    assert (answer.status, answer.json()["reason"]) == (409, "Conflict")
    answer = await client.delete(f"{MAPS}/a", {"preconditions": {"resourceVersion": "1"}})
    assert answer.status == 409
    same = {"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]}
    assert (await client.delete(f"{MAPS}/a", {"preconditions": same})).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"propagationPolicy": "Sideways"}, 422),
        ({"gracePeriodSeconds": -1}, 422),
        ({"gracePeriodSeconds": "x"}, 422),
        ({"gracePeriodSeconds": True}, 422),
        ({"orphanDependents": True, "propagationPolicy": "Orphan"}, 422),
        ({"preconditions": "x"}, 400),
        ({"preconditions": {"uid": 5}}, 400),
        ({"dryRun": "All"}, 400),
        ({"dryRun": ["Some"]}, 422),
        ([], 400),
    ],
)
async def test_bad_options(client: Client, body: object, status: int) -> None:
    await created_map(client, "a")
    answer = await client.delete(f"{MAPS}/a", body)
    assert answer.status == status, answer
    assert (await client.get(f"{MAPS}/a")).status == 200


async def test_empty_options_and_query(client: Client) -> None:
    await created_map(client, "a")
    assert (await client.delete(f"{MAPS}/a", {})).status == 200
    await created_map(client, "a")
    answer = await client.delete(f"{MAPS}/a?gracePeriodSeconds=0&propagationPolicy=Foreground&x=y")
    assert answer.status == 200


async def test_yaml_options(client: Client) -> None:
    await created_map(client, "a")
    answer = await client.delete(f"{MAPS}/a", b"propagationPolicy: Orphan\n", content_type="application/yaml")
    assert answer.status == 200


async def test_protobuf_options(client: Client) -> None:
    await created_map(client, "a")
    answer = await client.delete(f"{MAPS}/a", b"k8s\0", content_type="application/vnd.kubernetes.protobuf")
    assert answer.status == 415


async def test_owned_objects_go_with_their_owner_or_stay(client: Client) -> None:
    owner = await created_map(client, "owner")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    await created_map(client, "child")
    await client.merge(f"{MAPS}/child", {"metadata": {"ownerReferences": [reference]}})
    await client.delete(f"{MAPS}/owner", {"propagationPolicy": "Orphan"})
    child = (await client.get(f"{MAPS}/child")).json()
    assert not child["metadata"].get("ownerReferences")


async def test_collection(client: Client) -> None:
    await created_map(client, "a", {"t": "1"})
    await created_map(client, "b", {"t": "1"})
    await created_map(client, "c")
    answer = await client.delete(f"{MAPS}?labelSelector=t%3D1")
    assert answer.status == 200 and answer.json()["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in answer.json()["items"]] == ["a", "b"]
    left = (await client.get(MAPS)).json()["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


async def test_namespace_takes_its_objects_along(client: Client) -> None:
    await created(client, "/api/v1/namespaces", {"metadata": {"name": "temp"}})
    path = "/api/v1/namespaces/temp/configmaps"
    await created(client, path, {"metadata": {"name": "a"}})
    assert (await client.delete("/api/v1/namespaces/temp")).status == 200
    assert (await client.get(f"{path}/a")).status == 404
