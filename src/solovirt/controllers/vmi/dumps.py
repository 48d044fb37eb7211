"""Dumps of guests' memory that are being written into claims, as they are written down. Must not know how.

A record is there before the file, and goes after the last of it, so that a file that nobody finished is found.
"""

from __future__ import annotations

import msgspec

from solovirt.controllers.site import Key
from solovirt.controllers.vmi.records import DUMPS
from solovirt.kit import json
from solovirt.store.records import Records


class DumpRecord(msgspec.Struct, frozen=True, rename="camel"):
    """``file`` is the name that the finished dump gets in the claim's directory; ``name`` is the VM's."""

    namespace: str
    name: str
    claim: str
    file: str


class DumpRecords:
    """By the VMI's uid."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def put(self, uid: str, record: DumpRecord) -> None:
        await self._records.put(DUMPS, uid, json.encode(record))

    async def drop(self, uid: str) -> None:
        if self._records.get(DUMPS, uid) is not None:
            await self._records.delete(DUMPS, uid)

    def all(self) -> dict[str, DumpRecord]:
        found: dict[str, DumpRecord] = {}
        for uid, data in self._records.list(DUMPS).items():
            try:
                found[uid] = msgspec.json.decode(data, type=DumpRecord)
            except msgspec.DecodeError:
                continue
        return found

    def uses(self, claim: Key) -> bool:
        """Whether a dump is being written into it."""
        return any((one.namespace, one.claim) == claim for one in self.all().values())
