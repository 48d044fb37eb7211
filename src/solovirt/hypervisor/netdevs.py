"""The host's sides of NICs that QEMU has now: QMP cannot list them, its human monitor can.

Source: QEMU net/net.c, ``hmp_info_network``.
"""

from __future__ import annotations

import re

from solovirt.hypervisor.forward import Monitored

_ROW = re.compile(r"(?: \\ )?([A-Za-z][A-Za-z0-9_.-]{0,255}): index=\d+,type=([a-z-]{1,32}),", re.ASCII)
_NIC = "nic"


async def backends(instance: Monitored) -> set[str]:
    """Their ids. Raises what QMP raises."""
    said = await instance.qmp("human-monitor-command", {"command-line": "info network"})
    return parse(said if isinstance(said, str) else "")


def parse(listing: str) -> set[str]:
    """What ``info network`` names that is no NIC; a NIC's backend stands indented below it."""
    rows = (_ROW.match(line) for line in listing.splitlines())
    return {row[1] for row in rows if row is not None and row[2] != _NIC}
