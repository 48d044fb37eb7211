"""The HTTP API as one ASGI application: a few routes, and a dictionary of resources behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from solovirt.kit import json
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.server import actions, origin, subresources, versions
from solovirt.server.call import Services
from solovirt.server.console import Console
from solovirt.server.discovery import Discovery
from solovirt.server.errors import failure_response, page_not_found, unexpected
from solovirt.server.interfaces import Images, Operations
from solovirt.server.lifetime import Lifetime
from solovirt.server.metrics.scrape import Metrics
from solovirt.server.resources import Resources
from solovirt.store.objects import Objects

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Endpoint = Callable[[Request], Awaitable[ASGIApp]]


def build(objects: Objects, operations: Operations, images: Images, *, lifetime: Lifetime | None = None) -> ASGIApp:
    """The application. ``lifetime`` ends its endless answers."""
    services = Services(objects, operations, images, lifetime or Lifetime())
    return _Guard(Router(_routes(services), default=_nothing_here, redirect_slashes=False))


def _routes(services: Services) -> list[Route | WebSocketRoute]:
    discovery, resources = Discovery(), Resources(services)
    console = "/namespaces/{namespace}/" + f"{actions.VMIS}/" + "{name}/" + subresources.CONSOLE
    return [
        Route("/apis/{group}/{version}/{rest:path}", _Endpoint(resources.serve), methods=_METHODS),
        Route("/api/{version}/{rest:path}", _Endpoint(resources.serve), methods=_METHODS),
        *(
            WebSocketRoute(f"/apis/{subresources.GROUP}/{version}{console}", Console(services))
            for version in subresources.VERSIONS
        ),
        *_both("/version", partial(_document, versions.kubernetes())),
        *_both("/api", discovery.core),
        *_both("/apis", discovery.groups),
        _get("/api/{version}", discovery.resources),
        _get("/apis/{group}", discovery.group),
        _get("/apis/{group}/{version}", discovery.resources),
        _get("/metrics", Metrics(services).serve),
        *(_get(path, _healthy) for path in ("/healthz", "/livez", "/readyz")),
    ]


def _both(path: str, endpoint: Endpoint) -> list[Route]:
    """With and without a trailing slash: clients ask for both."""
    return [_get(path, endpoint), _get(path + "/", endpoint)]


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(path, _Endpoint(endpoint), methods=["GET"])


class _Endpoint:
    """One handler as an ASGI application. Errors that it does not turn into an answer itself become a Status here."""

    def __init__(self, handler: Endpoint) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._handler(Request(scope, receive))
        except SolovirtError as error:
            answer = failure_response(error)
        await answer(scope, receive, send)


class _Guard:
    """The outermost layer: refuses foreign origins, and answers defects with 500 while that is still possible."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            origin.check(scope)
            await self._app(scope, receive, watched_send)
        except SolovirtError as error:
            if started:
                raise
            await failure_response(error)(scope, receive, send)
        except Exception as error:
            if started:
                raise
            failure = unexpected(error, scope.get("method", scope["type"]), scope["path"])
            await failure_response(failure)(scope, receive, send)


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _document(body: JsonObject, request: Request) -> Response:
    return Response(json.encode(body), media_type="application/json")


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    response = page_not_found()
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
