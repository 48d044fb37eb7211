import json

import pytest

from solovirt.api import registry
from solovirt.store.objects import Objects
from tests.support.asgi import Client
from tests.unit.server.manifests import MAPS, VMIS, VMS, config_map, created, created_map, vm, vmi

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"


async def test_create_and_get(client: Client) -> None:
    made = await created(client, VMS, vm())
    assert made["metadata"]["uid"] and made["metadata"]["namespace"] == "default"
    answer = await client.get(f"{VMS}/web")
    assert (answer.status, answer.json()) == (200, made)


async def test_generate_name(client: Client) -> None:
    body = config_map("")
    body["metadata"] = {"generateName": "x-"}
    assert (await created(client, MAPS, body))["metadata"]["name"].startswith("x-")


async def test_create_twice(client: Client) -> None:
    await created(client, VMS, vm())
    answer = await client.post(VMS, vm())
    assert answer.status == 409
    body = answer.json()
    assert body["reason"] == "AlreadyExists"
    assert body["message"] == 'virtualmachines.kubevirt.io "web" already exists'


async def test_create_in_a_missing_namespace(client: Client) -> None:
    answer = await client.post("/api/v1/namespaces/nowhere/configmaps", config_map("a"))
    assert (answer.status, answer.json()["message"]) == (404, 'namespaces "nowhere" not found')


async def test_create_needs_the_namespace_in_the_path(client: Client) -> None:
    answer = await client.post("/api/v1/configmaps", config_map("a"))
    assert (answer.status, answer.json()["reason"]) == (405, "MethodNotAllowed")


async def test_create_with_a_version(client: Client) -> None:
    body = config_map("a")
    body["metadata"]["resourceVersion"] = "1"
    answer = await client.post(MAPS, body)
    assert answer.status == 500
    assert answer.json()["message"] == "resourceVersion should not be set on objects to be created"


async def test_dry_run_leaves_nothing(client: Client) -> None:
    answer = await client.post(f"{MAPS}?dryRun=All", config_map("a"))
    assert answer.status == 201 and answer.json()["metadata"]["uid"]
    assert (await client.get(f"{MAPS}/a")).status == 404


async def test_not_found(client: Client) -> None:
    answer = await client.get(f"{VMS}/nope")
    body = answer.json()
    assert answer.status == 404
    assert body["message"] == 'virtualmachines.kubevirt.io "nope" not found'
    assert body["details"] == {"name": "nope", "group": "kubevirt.io", "kind": "virtualmachines"}


async def test_a_bare_instance_is_allowed_and_its_status_is_dropped(client: Client) -> None:
    made = await created(client, VMIS, {**vmi(), "status": {"phase": "Running", "nonsense": 1}})
    assert made["status"].get("phase", "") != "Running"


def misspelled() -> dict[str, object]:
    return vm(runStrategi="Always")


async def test_strict(client: Client) -> None:
    answer = await client.post(f"{VMS}?fieldValidation=Strict", misspelled())
    assert answer.status == 400
    assert 'strict decoding error: unknown field "spec.runStrategi"' in answer.json()["message"]


async def test_warn_is_the_default(client: Client) -> None:
    answer = await client.post(VMS, misspelled())
    assert answer.status == 201, answer
    [warning] = answer.all("warning")
    assert warning.startswith('299 - "unknown field \\"spec.runStrategi\\"')
    assert "runStrategi" not in answer.json()["spec"]


async def test_ignore(client: Client) -> None:
    answer = await client.post(f"{VMS}?fieldValidation=Ignore", misspelled())
    assert (answer.status, answer.all("warning")) == (201, [])


async def test_unsupported_field_is_refused_in_every_mode(client: Client) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "dataSource": {}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}, "spec": claim}
    for mode in ("Strict", "Warn", "Ignore"):
        answer = await client.post(f"{CLAIMS}?fieldValidation={mode}", body)
        assert answer.status == 422, answer
        assert "known to KubeVirt, not supported yet" in answer.json()["message"]
        assert answer.json()["details"]["causes"][0]["reason"] == "FieldValueNotSupported"


async def test_update(client: Client) -> None:
    made = await created_map(client, "a", x="1")
    made["data"] = {"x": "2"}
    answer = await client.put(f"{MAPS}/a", made)
    assert answer.status == 200 and answer.json()["data"] == {"x": "2"}
    assert int(answer.json()["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    stale = await client.put(f"{MAPS}/a", {**made, "data": {"x": "3"}})
    assert stale.status == 409
    assert "the object has been modified; please apply your changes to the latest version" in stale.json()["message"]


async def test_update_needs_a_version(client: Client) -> None:
    made = await created(client, VMS, vm())
    del made["metadata"]["resourceVersion"]
    answer = await client.put(f"{VMS}/web", made)
    assert answer.status == 422 and "must be specified for an update" in answer.json()["message"]


async def test_update_without_change_keeps_the_version(client: Client) -> None:
    made = await created(client, VMS, vm())
    answer = await client.put(f"{VMS}/web", made)
    assert answer.json()["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_update_of_nothing(client: Client) -> None:
    body = config_map("a")
    body["metadata"]["resourceVersion"] = "1"
    assert (await client.put(f"{MAPS}/a", body)).status == 404


async def test_spec_and_status_are_written_apart(client: Client) -> None:
    made = await created(client, VMS, vm())
    made["status"] = {"printableStatus": "Lying"}
    made["spec"]["runStrategy"] = "Manual"
    answer = await client.put(f"{VMS}/web", made)
    assert answer.status == 200, answer
    assert answer.json()["status"].get("printableStatus", "") != "Lying"
    assert answer.json()["metadata"]["generation"] == 2
    latest = answer.json()
    latest["status"] = {"printableStatus": "Stopped"}
    latest["spec"]["runStrategy"] = "Always"
    answer = await client.put(f"{VMS}/web/status", latest)
    assert answer.status == 200, answer
    assert answer.json()["status"]["printableStatus"] == "Stopped"
    assert answer.json()["spec"]["runStrategy"] == "Manual"
    assert (await client.get(f"{VMS}/web/status")).json() == answer.json()
    patched = await client.merge(f"{VMS}/web/status", {"status": {"printableStatus": "Paused"}, "spec": None})
    assert patched.status == 422 or patched.json()["spec"]["runStrategy"] == "Manual"
    patched = await client.merge(f"{VMS}/web/status", {"status": {"printableStatus": "Paused"}})
    assert patched.json()["status"]["printableStatus"] == "Paused"


async def test_merge_patch(client: Client) -> None:
    await created_map(client, "a", {"l": "1"}, x="1", y="2")
    answer = await client.merge(f"{MAPS}/a", {"data": {"x": None, "z": "3"}})
    assert answer.status == 200 and answer.json()["data"] == {"y": "2", "z": "3"}


async def json_patch(client: Client, path: str, *operations: dict[str, object]) -> tuple[int, dict[str, object]]:
    answer = await client.request("PATCH", path, list(operations), content_type="application/json-patch+json")
    return answer.status, answer.json()


async def test_json_patch(client: Client) -> None:
    await created_map(client, "a", x="1")
    status, body = await json_patch(client, f"{MAPS}/a", {"op": "replace", "path": "/data/x", "value": "2"})
    assert (status, body["data"]) == (200, {"x": "2"})


async def test_json_patch_that_does_not_fit_is_422(client: Client) -> None:
    """virtctl's add-ssh-key depends on it."""
    await created(client, VMS, vm())
    path = "/spec/template/spec/accessCredentials/-"
    status, body = await json_patch(client, f"{VMS}/web", {"op": "add", "path": path, "value": {}})
    assert (status, body["reason"]) == (422, "Invalid")


@pytest.mark.parametrize("kind", ["application/strategic-merge-patch+json", "application/apply-patch+yaml"])
async def test_other_patches(client: Client, kind: str) -> None:
    await created_map(client, "a")
    answer = await client.request("PATCH", f"{MAPS}/a?fieldManager=kubectl", {}, content_type=kind)
    assert answer.status == 415
    assert "application/json-patch+json, application/merge-patch+json" in answer.json()["message"]


async def test_a_patch_of_a_list(client: Client) -> None:
    await created_map(client, "a")
    assert (await client.merge(f"{MAPS}/a", [{"op": "x"}])).status == 400


async def test_a_patch_cannot_rename(client: Client) -> None:
    await created_map(client, "a")
    assert (await client.merge(f"{MAPS}/a", {"metadata": {"name": "b"}})).status == 400
    assert (await client.merge(f"{MAPS}/a", {"metadata": {"namespace": "b"}})).status == 400


async def test_a_patch_with_a_stale_version(client: Client) -> None:
    made = await created_map(client, "a")
    assert (await client.merge(f"{MAPS}/a", {"data": {"x": "1"}})).status == 200
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"x": "2"}}
    assert (await client.merge(f"{MAPS}/a", stale)).status == 409


async def test_a_patch_is_tried_anew_after_a_conflict(
    client: Client, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await created_map(client, "a")
    update, races = objects.update, 2

    async def raced(res, obj, **more):  # type: ignore[no-untyped-def]
        nonlocal races
        if races:
            races -= 1

            def touch(found):  # type: ignore[no-untyped-def]
                found.data[f"other{races}"] = "1"
                return True

            await objects.modify(registry.CONFIG_MAPS, "default", "a", touch)
        return await update(res, obj, **more)

    monkeypatch.setattr(objects, "update", raced)
    # modify() of the store does not go through update(), so only the patch itself is raced.
    answer = await client.merge(f"{MAPS}/a", {"data": {"mine": "1"}})
    assert answer.status == 200, answer
    assert answer.json()["data"] == {"other0": "1", "other1": "1", "mine": "1"}


async def test_labels_like_kubectl_label(client: Client) -> None:
    await created(client, VMS, vm())
    answer = await client.merge(f"{VMS}/web?fieldManager=kubectl-label", {"metadata": {"labels": {"tier": "db"}}})
    assert answer.status == 200 and answer.json()["metadata"]["generation"] == 1


async def test_a_version_from_the_future(client: Client) -> None:
    await created_map(client, "a")
    answer = await client.get(f"{MAPS}/a?resourceVersion=999999")
    assert (answer.status, answer.json()["reason"]) == (504, "Timeout")


async def test_secret_text_is_never_given_back(client: Client) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"k": "v"}}
    made = await created(client, "/api/v1/namespaces/default/secrets", body)
    assert made["data"] == {"k": "dg=="} and "stringData" not in made
    assert json.dumps(made).count("dg==") == 1


async def test_field_managers_of_another_server_are_dropped(client: Client) -> None:
    body = config_map("a")
    body["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Update"}]
    assert "managedFields" not in (await created(client, MAPS, body))["metadata"]
