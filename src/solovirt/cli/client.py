"""Requests to a Kubernetes-shaped API: JSON in, JSON out, Status objects become errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from solovirt import __version__
from solovirt.cli import http
from solovirt.cli.endpoint import Endpoint
from solovirt.kit.errors import BadRequest, Cause, SolovirtError, TimedOut, Unavailable
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

EXTENSIONS = "subresources.solovirt.io"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class ApiError(SolovirtError):
    """A Status of the server, as it was sent."""

    def __init__(self, status: int, body: JsonObject) -> None:
        details = get_object(body, "details")
        causes = [
            Cause(get_str(c, "reason"), get_str(c, "message"), get_str(c, "field"))
            for c in get_list(details, "causes")
            if isinstance(c, dict)
        ]
        super().__init__(
            get_str(body, "message") or f"the server answered {status}",
            reason=get_str(body, "reason"),
            causes=causes,
        )
        self.status = status
        self.is_status = body.get("kind") == "Status"


class Client:
    """One API server. Every method raises ApiError for a refusal and Unavailable when there is no server."""

    def __init__(self, endpoint: Endpoint, *, warn: bool = True) -> None:
        self.endpoint = endpoint
        self._warn = warn

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json") -> JsonObject:
        return self.call("GET", path, query, accept=accept)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> JsonObject:
        """One exchange. An empty answer is {}."""
        response = self.open(method, path, query, body, accept=accept, content_type=content_type)
        data = response.read()
        response.close()
        return _object(data)

    def download(self, path: str, query: Mapping[str, str] | None = None) -> http.Response:
        """An answer that ``downloaded`` reads; the caller closes it. Servers of ours tell there why it breaks off."""
        from solovirt.kit import frames

        return self.open("GET", path, query, accept=f"{frames.MEDIA_TYPE}, */*")

    def stream(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        *,
        upload: Iterable[bytes] | None = None,
    ) -> Iterator[JsonObject]:
        """The JSON lines of a watch or a progress report, as they come. ``upload`` as for ``open``."""
        response = self.open(method, path, query, body, upload=upload)
        try:
            yield from (_object(line) for line in response.lines() if line.strip())
        finally:
            response.close()

    def watch(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        accept: str = "application/json",
        deadline: float | None = None,
    ) -> Iterator[JsonObject]:
        """The events of a watch until the server ends it, or the deadline (time.monotonic) is there.

        A 410 inside the stream raises ApiError.
        """
        response = self.open("GET", path, {**query, "watch": "true"}, accept=accept)
        response.deadline = deadline
        try:
            for line in response.lines():
                event = _object(line)
                if event.get("type") == "ERROR":
                    status = get_object(event, "object")
                    raise ApiError(int(str(status.get("code") or 500)), status)
                yield event
        except TimedOut:
            return
        finally:
            response.close()

    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
        upload: Iterable[bytes] | None = None,
        upload_size: int | None = None,
    ) -> http.Response:
        """Send a request; the caller reads and closes the answer. ``upload`` goes after the body's line of JSON, if
        there is one; ``upload_size`` None: it has no known end.
        """
        target = (
            self.endpoint.base_path
            + path
            + ("?" + "&".join(f"{quote(k)}={quote(v)}" for k, v in query.items()) if query else "")
        )
        headers = {
            "Host": self.endpoint.authority,
            "User-Agent": f"solovirt/{__version__}",
            "Accept": accept,
            **self.endpoint.headers,
        }
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        if upload is not None:
            payload = payload + b"\n" if payload is not None else None
            headers["Content-Type"] = "application/octet-stream"
        try:
            response = http.request(
                self.endpoint.connect,
                method,
                target,
                headers=headers,
                body=payload,
                upload=upload,
                upload_size=upload_size,
            )
        except Unavailable as error:
            if self.endpoint.tls and not error.hint and "closed the connection" in error.message:
                error.hint = "perhaps it wants a client certificate: --client-certificate FILE --client-key FILE"
            raise
        if self._warn and "warning" in response.headers:
            _print_warning(response.headers["warning"])
        if response.status >= 400:
            data = response.read()
            response.close()
            raise refusal(path, response.status, data)
        return response


def downloaded(response: http.Response) -> Iterator[bytes]:
    """The content of a download as it comes. When it breaks off: ApiError with the server's reason, or Unavailable when
    the server itself has gone.
    """
    from solovirt.kit import frames

    if response.headers.get("content-type") != frames.MEDIA_TYPE:
        yield from response.chunks()
        return
    try:
        said = _object((yield from frames.content(response.chunks())))
    except EOFError:
        raise Unavailable("the server closed the connection in the middle of an answer") from None
    except ValueError as error:
        raise Unavailable(f"the server's answer has no end: {error}") from error
    if said.get("status") == "Failure":
        code = said.get("code")
        raise ApiError(code if isinstance(code, int) and code else 500, said)


_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quote(text: str) -> str:
    """Percent-encoding of everything but RFC 3986's unreserved characters (urllib.parse costs 5 ms to import)."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def path_of(group: str, version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """``/apis/kubevirt.io/v1/namespaces/default/virtualmachines/name/start``; the empty group is the core one.

    Raises ``BadRequest`` for a name that would be a path (``vm/NAME`` where only NAME is meant).
    """
    if "/" in name:
        raise BadRequest(f"{name!r} is no name", hint=f"give {name.rpartition('/')[2]!r} alone")
    parts = ["/apis", group, version] if group else ["/api", version]
    if namespace:
        parts += ["namespaces", quote(namespace)]
    parts.append(plural)
    if name:
        parts.append(quote(name))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def refusal(path: str, status: int, data: bytes) -> SolovirtError:
    """What an answer of 400 and above says. A path that is ours alone is unknown to other servers."""
    error = ApiError(status, _status(status, data))
    if status == 404 and not error.is_status and path.startswith(f"/apis/{EXTENSIONS}/"):
        return SolovirtError(
            "this server has no solovirt extensions",
            hint="exec, agent, logs, explain vm and image work with a solovirt daemon only",
        )
    if status == 401 and not error.causes:
        error.hint = "give --token or --client-certificate, or check the user in KUBECONFIG"
    return error


def _object(data: bytes) -> JsonObject:
    if not data.strip():
        return {}
    try:
        value: Json = json.loads(data)
    except ValueError:
        raise Unavailable("the server's answer is not JSON: is this a Kubernetes API server?") from None
    if not isinstance(value, dict):
        raise SolovirtError("the server answered with JSON that is not an object")
    return value


def _status(code: int, data: bytes) -> JsonObject:
    try:
        return _object(data)
    except SolovirtError:
        text = data.decode("utf-8", "replace").strip()[:500]
        return {"message": text or f"the server answered {code}", "reason": "NotFound" if code == 404 else ""}


def _print_warning(header: str) -> None:
    import sys

    for part in header.split('299 - "')[1:]:
        text = part.rsplit('"', 1)[0].replace('\\"', '"')
        print(f"Warning: {text}", file=sys.stderr)
