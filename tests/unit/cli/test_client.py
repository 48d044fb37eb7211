from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solovirt.cli.client import ApiError, Client, downloaded, path_of, quote
from solovirt.cli.endpoint import Endpoint
from solovirt.kit import frames
from solovirt.kit.errors import BadRequest, Unavailable
from tests.support.apiserver import Answer, FakeApi, status


@pytest.fixture
def client(api: FakeApi) -> Client:
    return Client(Endpoint(unix=str(api.socket)))


@given(st.text())
def test_quote_is_undone_by_the_standard_library(text: str) -> None:
    assert unquote(quote(text)) == text


def test_paths() -> None:
    assert path_of("", "v1", "namespaces", "", "a") == "/api/v1/namespaces/a"
    assert path_of("kubevirt.io", "v1", "virtualmachines", "n", "x", "start") == (
        "/apis/kubevirt.io/v1/namespaces/n/virtualmachines/x/start"
    )
    assert path_of("g", "v1", "things", "../a", "b?c") == "/apis/g/v1/namespaces/..%2Fa/things/b%3Fc"


def test_json_both_ways(api: FakeApi, client: Client) -> None:
    api.on("POST", "/x", Answer({"ok": True}))
    assert client.call("POST", "/x", {"a": "1 &"}, {"k": "ü"}) == {"ok": True}
    request = api.requests[0]
    assert (request.query, request.body, request.headers["content-type"]) == (
        {"a": "1 &"},
        {"k": "ü"},
        "application/json",
    )


def test_status_becomes_an_error(api: FakeApi, client: Client) -> None:
    api.on("GET", "/x", status(422, "Invalid", "bad", [{"reason": "R", "message": "m", "field": "spec.a"}]))
    with pytest.raises(ApiError) as caught:
        client.get("/x")
    assert (caught.value.status, caught.value.reason, caught.value.message) == (422, "Invalid", "bad")
    assert caught.value.causes[0].field == "spec.a"


def test_refusals_that_are_not_json(api: FakeApi, client: Client) -> None:
    api.on("GET", "/x", Answer(b"404 page not found", 404))
    with pytest.raises(ApiError, match="404 page not found"):
        client.get("/x")


def test_an_error_inside_a_watch(api: FakeApi, client: Client) -> None:
    gone = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
    api.on("GET", "/x", Answer([{"type": "ADDED", "object": {}}, gone]))
    events = client.watch("/x", {})
    assert next(events)["type"] == "ADDED"
    with pytest.raises(ApiError, match="too old"):
        next(events)
    assert api.requests[0].query == {"watch": "true"}


def test_warnings_reach_stderr(api: FakeApi, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.on("GET", "/x", Answer({}, headers={"Warning": '299 - "unknown field \\"spec.x\\""'}))
    client.get("/x")
    assert capsys.readouterr().err == 'Warning: unknown field "spec.x"\n'


def test_a_name_is_no_path() -> None:
    assert path_of("g", "v1", "things", "n", "a b").endswith("/namespaces/n/things/a%20b")
    with pytest.raises(BadRequest, match=r"'vm/web' is no name \(give 'web' alone\)"):
        path_of("g", "v1", "things", "n", "vm/web")


FRAMED = {"content-type": frames.MEDIA_TYPE}


@pytest.fixture
def down(client: Client) -> Iterator[Callable[..., Iterator[bytes]]]:
    """The content of a download, whose answer is closed after the test."""
    with contextlib.ExitStack() as stack:

        def read(path: str, query: dict[str, str] | None = None) -> Iterator[bytes]:
            response = client.download(path, query)
            stack.callback(response.close)
            return downloaded(response)

        yield read


def test_a_download_in_frames(api: FakeApi, down: Callable[..., Iterator[bytes]]) -> None:
    whole = frames.frame(b"ab") + frames.frame(b"c") + frames.last_word(b'{"status": "Success"}')
    api.on("GET", "/x", Answer(whole, headers=FRAMED))
    assert b"".join(down("/x", {"path": "y"})) == b"abc"
    assert api.requests[0].headers["accept"] == f"{frames.MEDIA_TYPE}, */*" and api.requests[0].query == {"path": "y"}


def test_a_download_from_a_server_that_has_no_frames(api: FakeApi, down: Callable[..., Iterator[bytes]]) -> None:
    api.on("GET", "/x", Answer(b"\0\0\0\0abc", headers={"content-type": "application/octet-stream"}))
    assert b"".join(down("/x")) == b"\0\0\0\0abc"


@pytest.mark.parametrize("code", [500, 0])
def test_a_download_that_breaks_off_says_why(api: FakeApi, down: Callable[..., Iterator[bytes]], code: int) -> None:
    said = b'{"status": "Failure", "reason": "FileChanged", "message": "became shorter", "code": %d}' % code
    api.on("GET", "/x", Answer(frames.frame(b"ab") + frames.last_word(said), headers=FRAMED))
    coming = down("/x")
    assert next(coming) == b"ab"
    with pytest.raises(ApiError, match="became shorter") as caught:
        next(coming)
    assert (caught.value.status, caught.value.reason) == (500, "FileChanged")


@pytest.mark.parametrize("end", [b"", b"\0\0", frames.last_word(b"{"), frames.last_word(b"x" * (1 << 17))])
def test_a_download_whose_server_goes_away(api: FakeApi, down: Callable[..., Iterator[bytes]], end: bytes) -> None:
    api.on("GET", "/x", Answer(frames.frame(b"ab") + end, headers=FRAMED))
    with pytest.raises(Unavailable):
        b"".join(down("/x"))
