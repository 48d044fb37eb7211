import pytest

from solovirt.kit.errors import Forbidden
from solovirt.server import origin

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
    origin.check(scope("http", origin="https://some.example"))
