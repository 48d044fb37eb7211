from __future__ import annotations

from tests.support.asgi import Client
from tests.support.fakes import FakeOperations

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/web/resources"


async def test_wanted_plugged_and_seen(client: Client, operations: FakeOperations) -> None:
    answer = await client.get(PATH)
    assert answer.status == 200
    assert answer.json()["cpu"] == {"sockets": 2, "requested": 2, "plugged": 2, "most": 4, "guest": 1}
    assert answer.json()["memory"]["guest"] is None
    ((verb, namespace, name, _),) = operations.calls
    assert (verb, namespace, name) == ("resources", "default", "web")


async def test_it_is_read_only(client: Client, operations: FakeOperations) -> None:
    answer = await client.put(PATH, {"cpu": {"sockets": 4}}, content_type=None)
    assert answer.status == 405
    assert operations.calls == []
