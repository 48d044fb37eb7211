"""The guest agent's wire format, sans-I/O: JSON values on lines, found again after garbage by 0xFF.

The protocol (QEMU's docs/interop/qemu-ga, ``guest-sync-delimited``): the host sends 0xFF, which makes the agent drop a
half-read request, then a sync request with an id; the agent answers 0xFF and that id. Whatever came before is
garbage: boot messages, the late reply to a command that timed out. 0xFF is never part of UTF-8, so text cannot fake it.

Everything received is the guest's word: lines are bounded, nothing is trusted to be JSON.
"""

from __future__ import annotations

from solovirt.kit.json import Json, JsonObject, decode, encode

DELIMITER = b"\xff"


class WireError(Exception):
    """The stream is not what the protocol allows; it is usable again after a sync."""


def request(command: str, arguments: JsonObject | None) -> bytes:
    """One command on the wire."""
    message: JsonObject = {"execute": command}
    if arguments is not None:
        message["arguments"] = arguments
    return encode(message) + b"\n"


def sync_request(sync_id: int) -> bytes:
    return DELIMITER + request("guest-sync-delimited", {"id": sync_id})


class ReplyReader:
    """Cuts a byte stream into reply objects.

    While it waits for a sync (from the start, and after :meth:`start_sync`) everything but that sync's reply is dropped
    and nothing is an error. After that, each line must be a JSON object of at most ``limit`` bytes.
    """

    def __init__(self) -> None:
        self.limit = 1024 * 1024
        self._buffer = bytearray()
        self._scanned = 0
        self._sync_id: int | None = None
        self._in_sync = False

    @property
    def in_sync(self) -> bool:
        return self._in_sync

    def start_sync(self, sync_id: int) -> None:
        """Drop everything until 0xFF and the reply with this id."""
        self._sync_id = sync_id
        self._in_sync = False

    def feed(self, data: bytes) -> list[JsonObject]:
        """Take in bytes; the replies that they complete.

        Raises ``WireError``, and is out of sync then, on a line that is too long or no JSON object. What a call that
        raised had found before is lost with it.
        """
        self._buffer += data
        replies: list[JsonObject] = []
        while (line := self._next_line()) is not None:
            if not self._in_sync:
                self._try_sync(line)
                continue
            line = line.rpartition(DELIMITER)[2].strip()
            if line:
                replies.append(self._parse(line))
        self._check_length()
        return replies

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        if self._in_sync and len(line) > self.limit:
            self.lose_sync()
            raise WireError(f"the guest agent sent a reply larger than {self.limit} bytes")
        return line

    def _try_sync(self, line: bytes) -> None:
        _, delimiter, text = line.rpartition(DELIMITER)
        if not delimiter or self._sync_id is None:
            return
        try:
            reply = decode(text)
        except (ValueError, RecursionError):
            return
        if isinstance(reply, dict) and reply.get("return") == self._sync_id and not isinstance(reply["return"], bool):
            self._in_sync = True

    def _parse(self, line: bytes) -> JsonObject:
        try:
            reply: Json = decode(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            self.lose_sync()
            raise WireError("the guest agent sent something that is not a JSON object")
        return reply

    def _check_length(self) -> None:
        if self._in_sync and len(self._buffer) > self.limit:
            self.lose_sync()
            raise WireError(f"the guest agent sent a reply larger than {self.limit} bytes")
        if not self._in_sync and len(self._buffer) > 64 * 1024:
            # A sync reply is short: only what may be its beginning is kept.
            self._buffer = self._buffer[-4096:]
            self._scanned = len(self._buffer)

    def lose_sync(self) -> None:
        """Forget what came so far; everything is dropped until the next sync."""
        self._in_sync = False
        self._sync_id = None
        self._buffer.clear()
        self._scanned = 0
