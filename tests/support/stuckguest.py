"""Guests that stand still for ever in an emulated machine, through no fault of whoever started them.

QEMU 7.2 without KVM at times loses the end of an interrupt when a guest with several vCPUs boots: seen with plain QEMU,
too, once in about 200 boots on a busy host. The vCPU sleeps while its local APIC holds that interrupt in service, so
no other one of this priority reaches it any more. That never happens to a vCPU that is well: it takes an interrupt only
once it is awake, and ends it before it sleeps again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Monitor = Callable[[str], str]
"""What the human monitor says to a command."""
_CPU = re.compile(r"^CPU#(\d+)\b", re.MULTILINE)
_ISR = re.compile(r"^ISR\s+(\d[\d ()a-z]*?)\s*$", re.MULTILINE)


def stuck_cpus(monitor: Monitor) -> list[int]:
    """Indices of vCPUs that nothing will wake up."""
    parts = _CPU.split(monitor("info registers -a"))[1:]
    asleep = [int(index) for index, text in zip(parts[::2], parts[1::2], strict=True) if "HLT=1" in text]
    return [index for index in asleep if _ISR.search(monitor(f"info lapic {index}"))]
