import pytest

from tests.support.asgi import Client


@pytest.mark.parametrize("path", ["/version", "/version/", "/version?timeout=32s"])
async def test_version(client: Client, path: str) -> None:
    body = (await client.get(path, headers={"accept": "application/json, */*"})).json()
    assert body["major"] == "1" and body["gitVersion"].startswith("v1.")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("path", ["/", "/nope", "/openapi/v3", "/version/openshift", "/apisx"])
async def test_nothing_there(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


async def test_documents_are_for_reading(client: Client) -> None:
    assert (await client.post("/version", {})).status == 405


async def test_a_rebound_host_is_refused(client: Client) -> None:
    rebound = Client(client.app, server=("127.0.0.1", 8443))
    answer = await rebound.get("/version", headers={"host": "evil.example"})
    assert (answer.status, answer.json()["reason"]) == (403, "Forbidden")
    assert (await rebound.get("/version", headers={"host": "localhost:8443"})).status == 200
