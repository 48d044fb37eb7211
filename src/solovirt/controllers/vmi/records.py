"""What is remembered of a machine besides its object: durable before the deed, deleted after the undoing.

- ``pins`` (key: the VM's uid, or a lone VMI's): what the guest has seen and shall see again.
- ``launches`` (key: the VMI's uid): which QEMU was or is about to be started, so that it can be found again.
- ``grants`` (key: the VMI's uid): which user id it runs as, and the shared files that may be open to it.
- ``explain`` (key: the VMI's uid): the reasons of its command line, deflated JSON.
- ``freezes`` (key: the VMI's uid), ``execs`` and ``agenthandles`` (key: its uid, a slash and theirs): what was begun in
  the guest and is to be ended (:mod:`solovirt.controllers.guest_freeze`, ``guest_exec``, ``guest_handles``).
- ``reboots`` (key: the VMI's uid): the guest is about to power off, and shall be started again (``vmi.rebooting``).
- ``clocks`` (key: the VMI's uid): the guest's clock is to be set (:mod:`solovirt.controllers.guest_clock`).
- ``wakes`` (key: the VMI's uid): the guest is being woken up (:mod:`solovirt.controllers.guest_waking`).
- ``dumps`` (key: the VMI's uid): where its memory is being written (:mod:`solovirt.controllers.memory_dump`).
"""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec

from solovirt.host.model.bindings import CPUPlacement, Pins
from solovirt.kit import json
from solovirt.kit.json import JsonObject
from solovirt.store.records import Records

PINS, LAUNCHES, GRANTS, EXPLAIN = "pins", "launches", "grants", "explain"
FREEZES, EXECS, HANDLES = "freezes", "execs", "agenthandles"
REBOOTS, DUMPS, CLOCKS, WAKES = "reboots", "dumps", "clocks", "wakes"

T = TypeVar("T")


class LaunchRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``run_as`` is (uid, gid). ``blobs`` are the images' files that only this machine's command line names.

    ``pins`` is what this very machine was started with: its VM may be gone, or changed. ``cpus`` are its own while it
    runs, ``realtime`` the vCPUs with a real-time priority. ``sizes`` are virtual sizes of its volumes in bytes.
    ``vsock_cid`` and ``devices`` (addresses of host devices) are its own too; ``links_down`` are NICs without a link.
    """

    namespace: str
    name: str
    uuid: str
    argv: tuple[str, ...]
    run_as: tuple[int, int] | None = None
    paused: bool = False
    blobs: tuple[str, ...] = ()
    pins: Pins = Pins()
    cpus: CPUPlacement | None = None
    realtime: tuple[int, ...] = ()
    sizes: dict[str, int] = {}
    vsock_cid: int = 0
    devices: tuple[str, ...] = ()
    links_down: tuple[str, ...] = ()


class GrantRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    uid: int
    paths: tuple[str, ...] = ()


class MachineRecords:
    """Typed access to the four kinds. A record that does not decode counts as none."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def pins(self, key: str) -> Pins | None:
        return _decoded(self._records.get(PINS, key), Pins)

    async def put_pins(self, key: str, pins: Pins) -> None:
        if self.pins(key) != pins:
            await self._records.put(PINS, key, json.encode(pins))

    async def drop_pins(self, key: str) -> None:
        if self._records.get(PINS, key) is not None:
            await self._records.delete(PINS, key)

    def launch(self, uid: str) -> LaunchRecord | None:
        return _decoded(self._records.get(LAUNCHES, uid), LaunchRecord)

    def launches(self) -> dict[str, LaunchRecord]:
        found = ((uid, _decoded(data, LaunchRecord)) for uid, data in self._records.list(LAUNCHES).items())
        return {uid: record for uid, record in found if record is not None}

    async def put_launch(self, uid: str, record: LaunchRecord) -> None:
        if self.launch(uid) != record:
            await self._records.put(LAUNCHES, uid, json.encode(record))

    def grant(self, uid: str) -> GrantRecord | None:
        return _decoded(self._records.get(GRANTS, uid), GrantRecord)

    def grants(self) -> dict[str, GrantRecord]:
        found = ((uid, _decoded(data, GrantRecord)) for uid, data in self._records.list(GRANTS).items())
        return {uid: record for uid, record in found if record is not None}

    async def put_grant(self, uid: str, record: GrantRecord) -> None:
        if self.grant(uid) != record:
            await self._records.put(GRANTS, uid, json.encode(record))

    async def drop_grant(self, uid: str) -> None:
        if self._records.get(GRANTS, uid) is not None:
            await self._records.delete(GRANTS, uid)

    def explanation(self, uid: str) -> JsonObject | None:
        data = self._records.get(EXPLAIN, uid)
        return json.decode_object(zlib.decompress(data)) if data is not None else None

    async def put_explanation(self, uid: str, explanation: object) -> None:
        await self._records.put(EXPLAIN, uid, zlib.compress(json.encode(explanation)))

    def is_frozen(self, uid: str) -> bool:
        """Whether we froze the guest's file systems, and have not thawed them yet."""
        return self._records.get(FREEZES, uid) is not None

    async def drop_machine(self, uid: str) -> None:
        """Launch and explanation of a machine of which nothing is left, and what was begun in its guest."""
        for kind in (FREEZES, EXECS, HANDLES, REBOOTS, CLOCKS, WAKES):
            for key in self._records.list(kind):
                if key.partition("/")[0] == uid:
                    await self._records.delete(kind, key)
        for kind in (LAUNCHES, EXPLAIN):
            if self._records.get(kind, uid) is not None:
                await self._records.delete(kind, uid)

    def uids(self) -> set[str]:
        """VMIs that left any trace here."""
        return {uid for kind in (LAUNCHES, GRANTS, EXPLAIN) for uid in self._records.list(kind)}


def _decoded(data: bytes | None, kind: type[T]) -> T | None:
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        return None
