import pytest

from tests.support.asgi import Client, Loose

AGG = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
OLD_AGG = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"


@pytest.mark.parametrize("path", ["/api", "/api/"])
async def test_core(client: Client, path: str) -> None:
    assert (await client.get(path)).json()["versions"] == ["v1"]


@pytest.mark.parametrize("path", ["/apis", "/apis/"])
@pytest.mark.parametrize("accept", ["", "application/json", "*/*", OLD_AGG])
async def test_classic_groups(client: Client, path: str, accept: str) -> None:
    answer = await client.get(f"{path}?timeout=32s", headers={"accept": accept})
    body = answer.json()
    assert body["kind"] == "APIGroupList"
    names = [group["name"] for group in body["groups"]]
    assert names[0] == "kubevirt.io"
    assert {"cdi.kubevirt.io", "subresources.kubevirt.io", "subresources.solovirt.io"} <= set(names)
    assert answer.headers["vary"] == "Accept"


async def resources(client: Client, path: str) -> dict[str, Loose]:
    body = (await client.get(path)).json()
    assert body["kind"] == "APIResourceList"
    return {entry["name"]: entry for entry in body["resources"]}


async def test_classic_resources(client: Client) -> None:
    found = await resources(client, "/apis/kubevirt.io/v1")
    vms = found["virtualmachines"]
    assert vms["kind"] == "VirtualMachine" and vms["namespaced"] is True
    assert vms["singularName"] == "virtualmachine"
    assert set(vms["shortNames"]) == {"vm", "vms"} and vms["categories"] == ["all"]
    assert {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} == set(vms["verbs"])
    assert found["virtualmachines/status"]["verbs"] == ["get", "patch", "update"]
    core = await resources(client, "/api/v1")
    assert core["namespaces"]["namespaced"] is False
    assert {"events", "secrets", "configmaps", "persistentvolumeclaims"} <= set(core)


@pytest.mark.parametrize("version", ["v1", "v1alpha3"])
async def test_subresources_have_real_verbs(client: Client, version: str) -> None:
    found = await resources(client, f"/apis/subresources.kubevirt.io/{version}")
    assert found["virtualmachines/start"]["verbs"] == ["update"]
    assert found["virtualmachineinstances/console"]["verbs"] == ["get"]
    assert found["virtualmachineinstances/guestosinfo"]["kind"] == "VirtualMachineInstance"
    assert "virtualmachines" not in found


async def test_extensions(client: Client) -> None:
    found = await resources(client, "/apis/subresources.solovirt.io/v1")
    assert found["virtualmachineinstances/exec"]["verbs"] == ["create", "delete", "get"]
    assert found["images"]["namespaced"] is False


async def test_one_group_like_virtctl(client: Client) -> None:
    body = (await client.get("/apis/subresources.kubevirt.io")).json()
    assert body["kind"] == "APIGroup"
    assert body["preferredVersion"]["version"] == "v1"
    assert [version["version"] for version in body["versions"]] == ["v1", "v1alpha3"]


async def test_aggregated(client: Client) -> None:
    answer = await client.get("/apis?timeout=32s", headers={"accept": AGG})
    assert answer.headers["content-type"] == ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
    assert answer.headers["vary"] == "Accept" and answer.headers["cache-control"] == "public"
    body = answer.json()
    assert (body["kind"], body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    groups = {item["metadata"]["name"]: item for item in body["items"]}
    version, older = groups["kubevirt.io"]["versions"]
    assert (version["version"], older["version"]) == ("v1", "v1alpha3")
    vms = next(entry for entry in version["resources"] if entry["resource"] == "virtualmachines")
    assert vms["responseKind"] == {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachine"}
    assert vms["scope"] == "Namespaced" and vms["shortNames"] == ["vm", "vms"]
    assert [sub["subresource"] for sub in vms["subresources"]] == ["status"]
    for item in body["items"]:
        for group_version in item["versions"]:
            for entry in group_version["resources"]:
                assert bool(entry["verbs"]) == ("responseKind" in entry)
                assert all(sub["verbs"] and sub["responseKind"]["kind"] for sub in entry.get("subresources", []))


async def test_aggregated_core(client: Client) -> None:
    [item] = (await client.get("/api", headers={"accept": AGG})).json()["items"]
    assert item["versions"][0]["version"] == "v1"
    assert "namespaces" in {entry["resource"] for entry in item["versions"][0]["resources"]}


async def test_aggregated_is_not_sent_twice(client: Client) -> None:
    etag = (await client.get("/apis", headers={"accept": AGG})).headers["etag"]
    assert etag.startswith('"') and etag.endswith('"')
    again = await client.get("/apis", headers={"accept": AGG, "if-none-match": etag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    other = await client.get("/apis", headers={"accept": AGG, "if-none-match": '"x"'})
    assert other.status == 200


@pytest.mark.parametrize("path", ["/apis/nope", "/apis/nope/v1", "/apis/kubevirt.io/v9", "/api/v2"])
async def test_unknown_is_plain_text(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_scale_speaks_another_kind(client: Client) -> None:
    for version in ("v1beta1", "v1alpha1"):
        found = await resources(client, f"/apis/pool.kubevirt.io/{version}")
        scale = found["virtualmachinepools/scale"]
        assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
        assert scale["verbs"] == ["get", "patch", "update"]
        assert "virtualmachinepools/status" in found
    body = (await client.get("/apis", headers={"accept": AGG})).json()
    group = next(item for item in body["items"] if item["metadata"]["name"] == "pool.kubevirt.io")
    assert [version["version"] for version in group["versions"]] == ["v1beta1", "v1alpha1"]
    below = group["versions"][0]["resources"][0]["subresources"]
    assert below[1]["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
