import asyncio

import pytest

from solovirt.server import watching
from solovirt.server.lifetime import Lifetime
from solovirt.store.objects import Objects
from tests.support.asgi import Client
from tests.support.waiting import until
from tests.unit.server.manifests import MAPS, TABLE, VMS, created, created_map, vm

LIST = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"


def brief(event: dict) -> tuple[str, str]:  # type: ignore[type-arg]
    return event["type"], event["object"]["metadata"]["name"]


async def revision(client: Client) -> str:
    return str((await client.get(MAPS)).json()["metadata"]["resourceVersion"])


@pytest.mark.parametrize("query", ["watch=true", "watch=1&resourceVersion=0", "watch=True"])
async def test_without_a_version_everything_comes_first(client: Client, query: str) -> None:
    await created_map(client, "a")
    await created_map(client, "b")
    async with client.stream("GET", f"{MAPS}?{query}") as stream:
        assert stream.status == 200 and stream.headers["content-type"] == "application/json"
        assert [brief(e) for e in await stream.events(2)] == [("ADDED", "a"), ("ADDED", "b")]
        await client.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        await client.delete(f"{MAPS}/b")
        assert [brief(e) for e in await stream.events(2)] == [("MODIFIED", "a"), ("DELETED", "b")]


async def test_events_are_whole_objects(client: Client) -> None:
    async with client.stream("GET", f"{MAPS}?watch=true") as stream:
        made = await created_map(client, "a", x="1")
        assert await stream.event() == {"type": "ADDED", "object": made}


async def test_from_a_version(client: Client) -> None:
    await created_map(client, "a")
    since = await revision(client)
    await created_map(client, "b")
    async with client.stream("GET", f"{MAPS}?watch=true&resourceVersion={since}") as stream:
        assert brief(await stream.event()) == ("ADDED", "b")
        assert await stream.quiet()


async def test_one_namespace(client: Client) -> None:
    await created(client, "/api/v1/namespaces", {"metadata": {"name": "other"}})
    async with (
        client.stream("GET", f"{MAPS}?watch=true") as one,
        client.stream("GET", "/api/v1/configmaps?watch=true") as all_of_them,
    ):
        await created(client, "/api/v1/namespaces/other/configmaps", {"metadata": {"name": "x"}})
        assert brief(await all_of_them.event()) == ("ADDED", "x")
        assert await one.quiet()


async def test_too_old_is_told_in_the_stream(client: Client, monkeypatch: pytest.MonkeyPatch, objects: Objects) -> None:
    monkeypatch.setattr(objects._ledger.hub, "_max_changes", 2)
    for index in range(5):
        await created_map(client, f"m{index}")
    async with client.stream("GET", f"{MAPS}?watch=true&resourceVersion=1") as stream:
        assert stream.status == 200
        event = await stream.event()
        assert event["type"] == "ERROR"
        status = event["object"]
        assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
        assert "too old resource version: 1" in status["message"]
        assert await stream.event() is None


async def test_a_version_from_the_future_is_refused(client: Client) -> None:
    assert (await client.get(f"{MAPS}?watch=true&resourceVersion=99999")).status == 504
    assert (await client.get(f"{MAPS}?watch=true&resourceVersion=x")).status == 400


async def test_timeout_ends_it_cleanly(client: Client) -> None:
    async with client.stream("GET", f"{MAPS}?watch=true&timeoutSeconds=1") as stream:
        assert await stream.event(3) is None


async def test_label_selector_applies_to_changes(client: Client) -> None:
    await created_map(client, "in", {"t": "1"})
    await created_map(client, "out")
    async with client.stream("GET", f"{MAPS}?watch=true&labelSelector=t%3D1") as stream:
        assert brief(await stream.event()) == ("ADDED", "in")
        entered = (await client.merge(f"{MAPS}/out", {"metadata": {"labels": {"t": "1"}}})).json()
        assert await stream.event() == {"type": "ADDED", "object": entered}
        left = (await client.merge(f"{MAPS}/in", {"metadata": {"labels": {"t": "2"}}})).json()
        event = await stream.event()
        assert brief(event) == ("DELETED", "in")
        assert event["object"]["metadata"]["labels"] == {"t": "1"}
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
        await client.delete(f"{MAPS}/in")
        await client.merge(f"{MAPS}/out", {"data": {"x": "1"}})
        assert brief(await stream.event()) == ("MODIFIED", "out")
        await client.delete(f"{MAPS}/out")
        assert brief(await stream.event()) == ("DELETED", "out")


async def test_field_selector_like_kubectl_wait(client: Client) -> None:
    await created_map(client, "a")
    await created_map(client, "b")
    query = f"fieldSelector=metadata.name%3Db&{LIST}&allowWatchBookmarks=true&timeoutSeconds=300&watch=true"
    async with client.stream("GET", f"{MAPS}?{query}") as stream:
        assert brief(await stream.event()) == ("ADDED", "b")
        mark = await stream.event()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"] == {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "resourceVersion": await revision(client),
                "annotations": {"k8s.io/initial-events-end": "true"},
            },
        }
        await client.delete(f"{MAPS}/b")
        assert brief(await stream.event()) == ("DELETED", "b")


async def test_initial_events_of_nothing(client: Client) -> None:
    async with client.stream("GET", f"{MAPS}?watch=true&{LIST}&allowWatchBookmarks=true") as stream:
        assert (await stream.event())["type"] == "BOOKMARK"


async def test_no_initial_events(client: Client) -> None:
    await created_map(client, "a")
    query = "watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with client.stream("GET", f"{MAPS}?{query}") as stream:
        assert await stream.quiet()
        await created_map(client, "b")
        assert brief(await stream.event()) == ("ADDED", "b")


@pytest.mark.parametrize(
    "query",
    [
        "sendInitialEvents=true",
        "resourceVersionMatch=NotOlderThan",
        "sendInitialEvents=true&resourceVersionMatch=Exact",
        f"{LIST}&continue=x",
    ],
)
async def test_options_that_do_not_go_together(client: Client, query: str) -> None:
    answer = await client.get(f"{MAPS}?watch=true&{query}")
    assert answer.status == 422, answer
    assert 'ListOptions.meta.k8s.io "" is invalid' in answer.json()["message"]


async def test_bookmarks_keep_an_idle_watch_young(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_INTERVAL", 0.05)
    async with (
        client.stream("GET", f"{MAPS}?watch=true&allowWatchBookmarks=true") as marked,
        client.stream("GET", f"{MAPS}?watch=true") as plain,
    ):
        await created(client, "/api/v1/namespaces", {"metadata": {"name": "other"}})
        event = await marked.event()
        while event["object"]["metadata"]["resourceVersion"] != await revision(client):
            event = await marked.event()
        assert event["type"] == "BOOKMARK"
        assert await plain.quiet(0.2)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/api/v1/watch/namespaces/default/configmaps", ["a", "b"]),
        ("/api/v1/watch/configmaps", ["a", "b"]),
        ("/api/v1/watch/namespaces/default/configmaps/b", ["b"]),
    ],
)
async def test_legacy_path(client: Client, path: str, wanted: list[str]) -> None:
    await created_map(client, "a")
    await created_map(client, "b")
    async with client.stream("GET", path) as stream:
        assert [brief(e)[1] for e in await stream.events(len(wanted))] == wanted
        assert await stream.quiet()


async def test_events_as_tables(client: Client) -> None:
    await created(client, VMS, vm())
    headers = {"accept": TABLE}
    query = f"watch=true&{LIST}&allowWatchBookmarks=true"
    async with client.stream("GET", f"{VMS}?{query}", headers=headers) as stream:
        table = (await stream.event())["object"]
        assert table["kind"] == "Table" and table["rows"][0]["cells"][0] == "web"
        assert table["columnDefinitions"][0]["name"] == "Name"
        mark = (await stream.event())["object"]
        assert mark["kind"] == "Table"
        assert mark["rows"][0]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_events_as_metadata(client: Client) -> None:
    await created_map(client, "a", x="1")
    headers = {"accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    async with client.stream("GET", f"{MAPS}?watch=true", headers=headers) as stream:
        obj = (await stream.event())["object"]
        assert obj["kind"] == "PartialObjectMetadata" and "data" not in obj


async def test_yaml_is_no_stream(client: Client) -> None:
    assert (await client.get(f"{MAPS}?watch=true", headers={"accept": "application/yaml"})).status == 406


async def test_disconnect_forgets_the_watcher(client: Client, objects: Objects) -> None:
    async with client.stream("GET", f"{MAPS}?watch=true"):
        assert len(objects._ledger.hub._watches) == 1
    assert not objects._ledger.hub._watches


async def test_the_end_of_the_daemon_ends_watches(client: Client, lifetime: Lifetime) -> None:
    async with client.stream("GET", f"{MAPS}?watch=true") as stream:
        await asyncio.sleep(0.01)
        lifetime.end()
        assert await stream.event() is None


async def test_a_watcher_that_is_too_slow_is_sent_away(
    client: Client, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects._ledger.hub, "max_queue", 2)
    gate = asyncio.Event()
    sent: list[bytes] = []

    async def send(message: dict) -> None:  # type: ignore[type-arg]
        if b"ADDED" in message.get("body", b""):
            await gate.wait()
        sent.append(message.get("body", b""))

    scope = {**client.scope("http", f"{MAPS}?watch=true", None, {}), "method": "GET"}
    never: asyncio.Queue[dict] = asyncio.Queue()  # type: ignore[type-arg]
    task = asyncio.create_task(client.app(scope, never.get, send))
    await until(lambda: objects._ledger.hub._watches)
    for index in range(6):
        await created_map(client, f"m{index}")
    gate.set()
    await asyncio.wait_for(task, 60)
    assert b'"reason":"Expired"' in b"".join(sent)
