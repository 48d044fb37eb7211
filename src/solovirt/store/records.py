"""Private durable records of the daemon (pins, intents): not objects, never served, same commit path."""

from __future__ import annotations

from solovirt.store.ledger import Ledger


class Records:
    """Small values by kind and key. A write has reached the disk when the call returns; HostError if it cannot."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, kind: str, key: str) -> bytes | None:
        return self._ledger.committed.records.get(kind, {}).get(key)

    def list(self, kind: str) -> dict[str, bytes]:
        return dict(self._ledger.committed.records.get(kind, {}))

    async def put(self, kind: str, key: str, value: bytes) -> None:
        await self._ledger.run(lambda draft: draft.set_record(kind, key, value))

    async def delete(self, kind: str, key: str) -> None:
        """A record that is not there is fine."""
        await self._ledger.run(lambda draft: draft.set_record(kind, key, None))
