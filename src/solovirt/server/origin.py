"""Who may talk to us at all: against DNS rebinding and against WebSockets that a foreign web page opens.

A unix socket is guarded by its file mode, and no browser can reach it: any Host is good there. On TCP the Host must be
a loopback name. No page of ours opens WebSockets, so one that bears an Origin comes from a foreign page.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from solovirt.kit.errors import Forbidden

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def check(scope: Scope) -> None:
    """Raises Forbidden."""
    headers = Headers(scope=scope)
    server = scope.get("server")
    if server is not None and server[1] is not None and _host_name(headers.get("host", "")) not in _LOCAL_NAMES:
        raise Forbidden(
            f"the Host header {headers.get('host', '')[:100]!r} does not name this machine",
            hint="use localhost or the unix socket",
        )
    if scope["type"] == "websocket" and "origin" in headers:
        raise Forbidden(f"WebSockets from web pages are refused (Origin {headers['origin'][:100]!r})")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
