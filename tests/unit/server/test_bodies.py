import json

import pytest

from tests.support.asgi import Client
from tests.unit.server.manifests import MAPS, VMS, config_map, created, vm


async def test_yaml_body(client: Client) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: text\ndata:\n  key: 'off'\n"
    answer = await client.post(MAPS, text, content_type="application/yaml")
    assert answer.status == 201, answer
    assert answer.json()["data"] == {"key": "off"}


async def test_no_content_type_is_json(client: Client) -> None:
    answer = await client.post(MAPS, config_map("a"), content_type=None)
    assert answer.status == 201, answer


@pytest.mark.parametrize("kind", ["application/vnd.kubernetes.protobuf", "text/plain"])
async def test_unknown_content_type(client: Client, kind: str) -> None:
    answer = await client.post(MAPS, b"k8s\0...", content_type=kind)
    assert answer.status == 415
    assert answer.json()["reason"] == "UnsupportedMediaType"
    assert "application/json, application/yaml" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b'{"a": 1}}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[1]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"", "application/json"),
        (b"a: [", "application/yaml"),
        (b"a: 1\n---\nb: 2\n", "application/yaml"),
        (b"- " * 20_000, "application/yaml"),
        (b"a: 1\na: 2\n", "application/yaml"),
    ],
)
async def test_malformed_bodies(client: Client, body: bytes, kind: str) -> None:
    answer = await client.post(MAPS, body, content_type=kind)
    assert answer.status == 400, answer
    assert answer.json()["reason"] == "BadRequest"


async def test_too_large_by_declaration(client: Client) -> None:
    answer = await client.post(MAPS, b"{}", headers={"content-length": str(3 * 1024 * 1024 + 1)})
    assert answer.status == 413
    assert answer.json()["reason"] == "RequestEntityTooLarge"


async def test_too_large_without_declaration(client: Client) -> None:
    answer = await client.request("POST", MAPS, chunks=[b"x" * (1 << 20)] * 4)
    assert answer.status == 413


async def test_a_large_body_in_pieces(client: Client) -> None:
    data = json.dumps(config_map("big", text="x" * 500_000)).encode()
    answer = await client.request("POST", MAPS, chunks=[data[i : i + 65536] for i in range(0, len(data), 65536)])
    assert answer.status == 201, answer


async def test_body_of_another_version(client: Client) -> None:
    answer = await client.post(VMS, {**vm(), "apiVersion": "kubevirt.io/v1alpha3"})
    assert answer.status == 400
    assert "does not match the expected API version (kubevirt.io/v1)" in answer.json()["message"]


async def test_custom_resource_of_another_kind(client: Client) -> None:
    answer = await client.post(VMS, {**vm(), "kind": "VirtualMachineInstance"})
    assert answer.status == 422, answer
    assert answer.json()["details"]["causes"][0]["field"] == "kind"
    assert "must be VirtualMachine" in answer.json()["message"]


async def test_built_in_of_another_kind(client: Client) -> None:
    answer = await client.post(MAPS, {**config_map("a"), "kind": "Secret"})
    assert answer.status == 400, answer


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
async def test_custom_resources_say_what_they_are(client: Client, field: str) -> None:
    answer = await client.post(VMS, {key: value for key, value in vm().items() if key != field})
    assert answer.status == 400
    assert f"Object '{field[0].upper()}{field[1:]}' is missing" in answer.json()["message"]


async def test_built_ins_need_not(client: Client) -> None:
    answer = await client.post(MAPS, {"metadata": {"name": "a"}})
    assert (answer.status, answer.json()["kind"], answer.json()["apiVersion"]) == (201, "ConfigMap", "v1")


async def test_namespace_of_the_body(client: Client) -> None:
    body = config_map("a")
    body["metadata"]["namespace"] = "other"
    answer = await client.post(MAPS, body)
    assert answer.status == 400
    assert "does not match the namespace sent on the request" in answer.json()["message"]
    body["metadata"]["namespace"] = "default"
    assert (await client.post(MAPS, body)).status == 201


async def test_name_of_the_body(client: Client) -> None:
    made = await created(client, MAPS, config_map("a"))
    answer = await client.put(f"{MAPS}/b", made)
    assert answer.status == 400
    assert answer.json()["message"] == "the name of the object (a) does not match the name on the URL (b)"
    del made["metadata"]["name"]
    answer = await client.put(f"{MAPS}/a", made)
    assert answer.status == 400 and "undeterminable" in answer.json()["message"]


async def test_metadata_of_the_wrong_type(client: Client) -> None:
    answer = await client.post(MAPS, {**config_map("a"), "metadata": "x"})
    assert answer.status == 400, answer
