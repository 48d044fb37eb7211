"""The agent's framing: whatever bytes come, it gives replies or the one error that it documents."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solovirt.hypervisor.agent_wire import ReplyReader, WireError, request, sync_request

reply_objects = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20), max_size=3
)


def synced(limit: int = 1000) -> ReplyReader:
    reader = ReplyReader()
    reader.limit = limit
    reader.start_sync(7)
    assert reader.feed(b'\xff{"return": 7}\n') == []
    assert reader.in_sync
    return reader


def test_requests() -> None:
    assert request("guest-ping", None) == b'{"execute":"guest-ping"}\n'
    assert request("a", {"b": "\n"}) == b'{"execute":"a","arguments":{"b":"\\n"}}\n'
    assert sync_request(5) == b'\xff{"execute":"guest-sync-delimited","arguments":{"id":5}}\n'


@given(
    garbage=st.binary(max_size=200),
    cuts=st.lists(st.integers(1, 50), max_size=20),
    replies=st.lists(reply_objects, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_whatever_came_before_a_sync_the_replies_after_it_are_found(
    garbage: bytes, cuts: list[int], replies: list[dict[str, object]]
) -> None:
    reader = ReplyReader()
    reader.start_sync(123456)
    stream = garbage + b'\xff{"return": 123456}\n' + b"".join(json.dumps(reply).encode() + b"\r\n" for reply in replies)
    found: list[object] = []
    for cut in cuts:
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    found += reader.feed(stream)
    assert reader.in_sync
    assert found == replies


@given(
    chunks=st.lists(st.binary(max_size=60) | st.just(b"\n") | st.just(b'\xff{"return":7}\n'), max_size=20),
    sync=st.booleans(),
)
@example(chunks=[b'{"return":' + b"[" * 5000 + b"\n"], sync=False)
@example(chunks=[b'{"return": 1e999}\n{"a": ' + b"9" * 300 + b"}\n"], sync=False)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_objects_or_a_wire_error(chunks: list[bytes], sync: bool) -> None:
    reader = synced(limit=200)
    if sync:
        reader.start_sync(7)
    for chunk in chunks:
        try:
            assert all(isinstance(reply, dict) for reply in reader.feed(chunk))
        except WireError:
            assert not reader.in_sync
            reader.start_sync(7)


@pytest.mark.parametrize("wrong", [b"{}", b"[7]", b'{"return": 8}', b'{"return": true}', b'{"return": "7"}', b"", b"{"])
def test_only_the_reply_with_the_id_synchronises(wrong: bytes) -> None:
    reader = ReplyReader()
    reader.start_sync(7)
    reader.feed(b"\xff" + wrong + b"\n" + b'{"return": 7}\n')
    assert not reader.in_sync
    reader.feed(b'\xff{"return": 7}\n')
    assert reader.in_sync


def test_true_is_not_one() -> None:
    reader = ReplyReader()
    reader.start_sync(1)
    reader.feed(b'\xff{"return": true}\n')
    assert not reader.in_sync


def test_nothing_synchronises_that_was_not_asked_for() -> None:
    reader = ReplyReader()
    assert reader.feed(b'\xff{"return": 0}\n\xff{"return": null}\n') == []
    assert not reader.in_sync


def test_a_line_may_be_as_long_as_the_limit_and_no_longer() -> None:
    reply = b'{"return":"%s"}' % (b"x" * 987)
    assert len(reply) == 1000
    assert len(synced(1000).feed(reply + b"\n")) == 1
    with pytest.raises(WireError, match="larger than 999 bytes"):
        synced(999).feed(reply + b"\n")
    with pytest.raises(WireError, match="larger than 999 bytes"):
        synced(999).feed(reply)


def test_memory_is_bounded_while_waiting_for_a_sync() -> None:
    reader = ReplyReader()
    reader.start_sync(7)
    for _ in range(100):
        assert reader.feed(b"x" * 65536) == []
        assert len(reader._buffer) <= 128 * 1024
    reader.feed(b'\xff{"return": 7}\n')
    assert reader.in_sync
