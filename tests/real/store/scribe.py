"""Writes at random to a store and says what was acknowledged, one JSON line each, until it is killed.

Run as ``python -m tests.real.store.scribe DATABASE SEED``. Each of its writers owns one object and one record, so that
the last lines about them tell what must be found afterwards: what was acknowledged, or else what was under way.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from solovirt.kit.errors import NotFound
from solovirt.kit.json import encode
from solovirt.store.objects import Objects
from tests.unit.store.kinds import NOTES, Note, note

WRITERS = 12


def _say(**line: object) -> None:
    # Unbuffered: what was said stays said when the process dies.
    os.write(sys.stdout.fileno(), encode(line) + b"\n")


async def _write(objects: Objects, name: str, source: random.Random) -> None:
    while True:
        value = source.randrange(1 << 30)

        def change(found: Note, value: int = value) -> bool:
            found.data = {"value": str(value), "pad": "x" * (value % 3000)}
            return True

        try:
            if source.random() < 0.15:
                _say(begin="delete", name=name)
                await objects.delete(NOTES, "default", name)
                _say(done="delete", name=name, revision=objects.revision)
            elif source.random() < 0.2:
                _say(begin="record", name=name, value=value)
                await objects.records.put("pin", name, str(value).encode())
                _say(done="record", name=name, value=value, revision=objects.revision)
            else:
                _say(begin="put", name=name, value=value)
                made = await objects.modify(NOTES, "default", name, change)
                _say(done="put", name=name, value=value, revision=int(made.metadata.resource_version))
        except NotFound:
            _say(begin="put", name=name, value=value)
            made = await objects.create(NOTES, note(name, value=str(value)))
            _say(done="put", name=name, value=value, revision=int(made.metadata.resource_version))


async def _main(path: Path, seed: int) -> None:
    objects = Objects.open(path)
    _say(opened=objects.revision)
    await asyncio.gather(*(_write(objects, f"w{number}", random.Random(seed + number)) for number in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
