"""Who may talk to us at all: against DNS rebinding, and against requests and WebSockets that a foreign web page makes.

A unix socket is guarded by its file mode, and no browser can reach it: any Host is good there. On TCP the Host must be
a loopback name. Somebody may have put a relay before the socket, though, and many an action needs nothing that a page
could not send. Browsers tell where a request comes from; programs (kubectl, virtctl, ours) send neither of these
headers. No page of ours opens WebSockets, so one that bears an Origin comes from a foreign page.

Source: the Fetch standard (``Origin``), W3C Fetch Metadata (``Sec-Fetch-Site``).
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from solovirt.kit.errors import Forbidden

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OTHER_SITES = frozenset({"cross-site", "same-site"})
"""Pages of another port of this host are on the same site."""


def check(scope: Scope) -> None:
    """Raises Forbidden."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    server = scope.get("server")
    if server is not None and server[1] is not None and _host_name(host) not in _LOCAL_NAMES:
        raise Forbidden(
            f"the Host header {host[:100]!r} does not name this machine",
            hint="use localhost or the unix socket",
        )
    origin = headers.get("origin")
    if scope["type"] == "websocket" and origin is not None:
        raise Forbidden(f"WebSockets from web pages are refused (Origin {origin[:100]!r})")
    if origin is not None and (not host or origin.partition("://")[2].lower() != host.lower()):
        raise Forbidden(f"requests of other web pages are refused (Origin {origin[:100]!r})")
    if headers.get("sec-fetch-site", "").lower() in _OTHER_SITES:
        raise Forbidden("requests of other web pages are refused (Sec-Fetch-Site)")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
