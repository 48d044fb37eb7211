import pytest

from solovirt.kit.errors import Forbidden
from solovirt.server import extensions, origin, subresources
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations

UNIX = ("/run/solovirt.sock", None)
TCP = ("127.0.0.1", 8443)


def scope(kind: str = "http", server: object = UNIX, **headers: str) -> dict[str, object]:
    return {"type": kind, "server": server, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}


@pytest.mark.parametrize("server", [UNIX, None])
def test_any_host_on_a_unix_socket(server: object) -> None:
    origin.check(scope(server=server, host="evil.example"))
    origin.check(scope(server=server))


@pytest.mark.parametrize("host", ["localhost", "localhost:8443", "127.0.0.1:1", "[::1]:8443", "LOCALHOST"])
def test_local_hosts_on_tcp(host: str) -> None:
    origin.check(scope(server=TCP, host=host))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8443", "127.0.0.1.evil.example", "", "[::2]"])
def test_rebound_hosts_on_tcp(host: str) -> None:
    with pytest.raises(Forbidden, match="does not name this machine"):
        origin.check(scope(server=TCP, host=host))


def test_websockets_of_web_pages() -> None:
    with pytest.raises(Forbidden, match="WebSockets from web pages"):
        origin.check(scope("websocket", origin="https://evil.example"))
    origin.check(scope("websocket"))


@pytest.mark.parametrize("server", [UNIX, TCP])
@pytest.mark.parametrize("where", ["https://evil.example", "http://localhost:1", "null", "", "localhost"])
def test_requests_of_other_web_pages(server: object, where: str) -> None:
    with pytest.raises(Forbidden, match="requests of other web pages"):
        origin.check(scope(server=server, host="localhost", origin=where))
    with pytest.raises(Forbidden, match="requests of other web pages"):
        origin.check(scope(origin=where))
    origin.check(scope(server=server, host="localhost:1", origin="http://LOCALHOST:1"))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
def test_requests_that_a_page_makes_without_an_origin(site: str) -> None:
    """An <img> of a memory dump, which stops the guest."""
    headers = {"sec-fetch-site": site}
    with pytest.raises(Forbidden, match="requests of other web pages"):
        origin.check(scope(host="localhost", **headers))
    for allowed in ("same-origin", "none"):
        origin.check(scope(host="localhost", **{"sec-fetch-site": allowed}))


EVERYTHING = [
    (group, kind, words, method)
    for group, actions in ((subresources.GROUP, subresources.ACTIONS), (extensions.GROUP, extensions.ACTIONS))
    for (kind, *words), methods in actions.items()
    for method in methods
]


@pytest.mark.parametrize(("group", "kind", "words", "method"), EVERYTHING)
async def test_nothing_is_done_for_a_foreign_page(
    client: Client, operations: FakeOperations, group: str, kind: str, words: list[str], method: str
) -> None:
    path = f"/apis/{group}/v1/namespaces/default/{kind}/vm/{'/'.join(words)}"
    answer = await client.request(
        method, path, headers={"origin": "https://evil.example", "content-type": "text/plain"}
    )
    assert (answer.status, operations.calls) == (403, [])
    answer = await client.request(method, path, headers={"sec-fetch-site": "cross-site"})
    assert (answer.status, operations.calls) == (403, [])
