"""Lists that are read page by page: every page shows the state of the first one.

A list in progress is held in memory under a random id, which its continue token names; only the newest few are kept,
for a few minutes. A token of a list that is gone is Expired, as on a real API server after compaction.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from solovirt.api.meta import KubeObject
from solovirt.kit.errors import BadRequest, Expired

MAX_LISTS = 16
MAX_AGE = 300.0


@dataclass(frozen=True, slots=True)
class Page:
    objects: Sequence[KubeObject]
    revision: int
    token: str
    remaining: int | None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """``scope`` is all that decided which objects are in it: kind, namespace and selectors."""

    scope: tuple[str, ...]
    objects: Sequence[KubeObject]
    revision: int
    born: float


class _Token(msgspec.Struct, forbid_unknown_fields=True):
    v: str
    rv: int
    id: str
    at: int


class Snapshots:
    """All lists in progress."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: OrderedDict[str, _Snapshot] = OrderedDict()

    def first(self, scope: tuple[str, ...], objects: Sequence[KubeObject], revision: int, limit: int) -> Page:
        """The first page. ``limit`` 0 is no limit; nothing is held when everything fits."""
        if not limit or len(objects) <= limit:
            return Page(objects, revision, "", None)
        self._expire()
        while len(self._held) >= MAX_LISTS:
            self._held.popitem(last=False)
        identity = secrets.token_hex(8)
        snapshot = _Snapshot(scope, objects, revision, self._clock())
        self._held[identity] = snapshot
        return _page(identity, snapshot, 0, limit)

    def next(self, scope: tuple[str, ...], text: str, limit: int) -> Page:
        """A further page. Raises BadRequest for a token that is not ours or of another list, Expired for an old one."""
        token = _decode(text)
        self._expire()
        snapshot = self._held.get(token.id)
        if snapshot is None:
            raise Expired(
                "The provided continue parameter is too old to display a consistent list result."
                " You can start a new list without the continue parameter."
            )
        if snapshot.scope != scope or snapshot.revision != token.rv or not 0 < token.at <= len(snapshot.objects):
            raise BadRequest("continue key is not valid: it belongs to another list", field="continue")
        return _page(token.id, snapshot, token.at, limit or len(snapshot.objects))

    def _expire(self) -> None:
        oldest = self._clock() - MAX_AGE
        for identity in [identity for identity, held in self._held.items() if held.born < oldest]:
            del self._held[identity]


def _page(identity: str, snapshot: _Snapshot, start: int, limit: int) -> Page:
    end = start + limit
    remaining = len(snapshot.objects) - end
    token = _encode(_Token("meta.k8s.io/v1", snapshot.revision, identity, end)) if remaining > 0 else ""
    return Page(snapshot.objects[start:end], snapshot.revision, token, remaining if remaining > 0 else None)


def _encode(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _decode(text: str) -> _Token:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=_Token)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise BadRequest(f"continue key is not valid: {error}", field="continue") from error
