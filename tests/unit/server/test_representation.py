import pytest

from solovirt.server.representation import warning_header
from tests.support.asgi import Client
from tests.unit.server.manifests import MAPS, TABLE, VMS, created, created_map, vm


async def test_list_as_table(client: Client) -> None:
    await created(client, VMS, vm())
    body = (await client.get(f"{VMS}?limit=500", headers={"accept": TABLE})).json()
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in body["columnDefinitions"]] == ["Name", "Age", "Status", "Ready"]
    assert body["columnDefinitions"][0]["format"] == "name"
    [row] = body["rows"]
    assert row["cells"][0] == "web" and row["cells"][1].endswith("s")
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == "web"


async def test_one_object_as_table(client: Client) -> None:
    await created(client, VMS, vm())
    body = (await client.get(f"{VMS}/web", headers={"accept": TABLE})).json()
    assert body["kind"] == "Table" and len(body["rows"]) == 1


async def test_pages_of_a_table(client: Client) -> None:
    for name in "abc":
        await created_map(client, name)
    first = (await client.get(f"{MAPS}?limit=2", headers={"accept": TABLE})).json()
    assert first["metadata"]["remainingItemCount"] == 1
    query = {"limit": 2, "continue": first["metadata"]["continue"]}
    rest = (await client.get(MAPS, query=query, headers={"accept": TABLE})).json()
    assert [row["cells"][0] for row in rest["rows"]] == ["c"]


async def test_include_object(client: Client) -> None:
    await created_map(client, "a", x="1")
    whole = (await client.get(f"{MAPS}?includeObject=Object", headers={"accept": TABLE})).json()
    assert whole["rows"][0]["object"]["data"] == {"x": "1"}
    assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
    none = (await client.get(f"{MAPS}?includeObject=None", headers={"accept": TABLE})).json()
    assert "object" not in none["rows"][0]
    for more in ("", "&watch=true"):
        answer = await client.get(f"{MAPS}?includeObject=Some{more}", headers={"accept": TABLE})
        assert answer.status == 400


async def test_older_table_version(client: Client) -> None:
    body = (await client.get(MAPS, headers={"accept": "application/json;as=Table;v=v1beta1;g=meta.k8s.io"})).json()
    assert body["apiVersion"] == "meta.k8s.io/v1beta1"


async def test_metadata_only(client: Client) -> None:
    await created_map(client, "a", x="1")
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    body = (await client.get(MAPS, headers={"accept": accept})).json()
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    [item] = body["items"]
    assert item["kind"] == "PartialObjectMetadata" and "data" not in item
    one = (await client.get(f"{MAPS}/a", headers={"accept": accept.replace("List", "")})).json()
    assert one["metadata"]["name"] == "a" and "data" not in one


async def test_yaml(client: Client) -> None:
    await created_map(client, "a", x="1")
    answer = await client.get(f"{MAPS}/a", headers={"accept": "application/yaml"})
    assert answer.headers["content-type"].startswith("application/yaml")
    assert b"kind: ConfigMap\n" in answer.body


async def test_nothing_acceptable(client: Client) -> None:
    answer = await client.get(MAPS, headers={"accept": "text/html"})
    assert (answer.status, answer.json()["reason"]) == (406, "NotAcceptable")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", b'299 - "plain"'),
        ('a "b" \\c', b'299 - "a \\"b\\" \\\\c"'),
        ("line\r\nSet-Cookie: x", b'299 - "line  Set-Cookie: x"'),
        ("ü", '299 - "ü"'.encode()),
    ],
)
def test_warning_header(text: str, wanted: bytes) -> None:
    assert warning_header(text) == wanted
