import pytest

from tests.support.asgi import Client
from tests.unit.server.manifests import MAPS, created, created_map


def names(answer_body: dict) -> list[str]:  # type: ignore[type-arg]
    return [item["metadata"]["name"] for item in answer_body["items"]]


async def test_empty_list(client: Client) -> None:
    body = (await client.get(f"{MAPS}?limit=500")).json()
    assert (body["kind"], body["apiVersion"], body["items"]) == ("ConfigMapList", "v1", [])
    assert body["metadata"]["resourceVersion"]


async def test_selectors(client: Client) -> None:
    await created_map(client, "a", {"t": "1"})
    await created_map(client, "b", {"t": "2"})
    assert names((await client.get(MAPS, query={"labelSelector": "t in (2,3)"})).json()) == ["b"]
    assert names((await client.get(MAPS, query={"fieldSelector": "metadata.name=a,metadata.name=a"})).json()) == ["a"]
    both = {"labelSelector": "t=1", "fieldSelector": "metadata.name!=a"}
    assert names((await client.get(MAPS, query=both)).json()) == []


@pytest.mark.parametrize("query", [{"labelSelector": "a b c"}, {"fieldSelector": "x"}, {"fieldSelector": "spec.x=1"}])
async def test_bad_selectors(client: Client, query: dict[str, str]) -> None:
    for more in ({}, {"watch": "true"}):
        answer = await client.get(MAPS, query={**query, **more})
        assert answer.status == 400, answer


async def test_all_namespaces(client: Client) -> None:
    await created(client, "/api/v1/namespaces", {"metadata": {"name": "other"}})
    await created_map(client, "a")
    await created(client, "/api/v1/namespaces/other/configmaps", {"metadata": {"name": "b"}})
    assert names((await client.get("/api/v1/configmaps")).json()) == ["a", "b"]
    assert names((await client.get(MAPS)).json()) == ["a"]
    only = await client.get("/api/v1/configmaps", query={"fieldSelector": "metadata.namespace=other"})
    assert names(only.json()) == ["b"]


async def test_pages_are_one_state(client: Client) -> None:
    for index in range(5):
        await created_map(client, f"m{index}")
    first = (await client.get(f"{MAPS}?limit=2")).json()
    assert first["metadata"]["remainingItemCount"] == 3
    await client.delete(f"{MAPS}/m4")
    await created_map(client, "m9")
    second = (await client.get(MAPS, query={"limit": 2, "continue": first["metadata"]["continue"]})).json()
    third = (await client.get(MAPS, query={"limit": 2, "continue": second["metadata"]["continue"]})).json()
    assert names(first) + names(second) + names(third) == ["m0", "m1", "m2", "m3", "m4"]
    versions = {body["metadata"]["resourceVersion"] for body in (first, second, third)}
    assert len(versions) == 1
    assert "continue" not in third["metadata"] and "remainingItemCount" not in third["metadata"]


async def test_bad_continue(client: Client) -> None:
    answer = await client.get(f"{MAPS}?continue=nonsense")
    assert answer.status == 400 and "continue key is not valid" in answer.json()["message"]
    assert (await client.get(f"{MAPS}?limit=x")).status == 400


async def test_versions(client: Client) -> None:
    await created_map(client, "a")
    current = int((await client.get(MAPS)).json()["metadata"]["resourceVersion"])
    assert (await client.get(f"{MAPS}?resourceVersion=0")).status == 200
    assert (await client.get(f"{MAPS}?resourceVersion={current}&resourceVersionMatch=Exact")).status == 200
    future = await client.get(f"{MAPS}?resourceVersion={current + 9}")
    assert future.status == 504
    assert future.json()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    past = await client.get(f"{MAPS}?resourceVersion={current - 1}&resourceVersionMatch=Exact")
    assert (past.status, past.json()["reason"]) == (410, "Expired")
    assert (await client.get(f"{MAPS}?resourceVersion=abc")).status == 400


@pytest.mark.parametrize(
    "query",
    [
        "resourceVersionMatch=Exact",
        "resourceVersion=1&resourceVersionMatch=Sometimes",
        "resourceVersion=0&resourceVersionMatch=Exact",
        "sendInitialEvents=true",
        "continue=x&resourceVersion=1&resourceVersionMatch=Exact",
    ],
)
async def test_options_that_do_not_go_together(client: Client, query: str) -> None:
    answer = await client.get(f"{MAPS}?{query}")
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid"), answer
    assert 'ListOptions.meta.k8s.io "" is invalid' in answer.json()["message"]
