from __future__ import annotations

import pytest

from tests.support.stuckguest import stuck_cpus

REGISTERS = """
CPU#0
RIP=ffffffff81a17a0b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT={}

CPU#1
RIP=ffffffff81a17a0b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT={}
"""
LAPIC = """dumping local APIC state for CPU {}

SPIV\t 0x000001ff APIC enabled, focus=off, spurious vec 255
ISR\t {}
IRR\t 37 38 39 40 236 

"""  # noqa: W291


@pytest.mark.parametrize(
    ("halted", "in_service", "stuck"),
    [
        ((1, 0), ("236 ", "236 "), [0]),
        ((1, 1), ("(none)", "236 "), [1]),
        ((1, 1), ("(none)", "(none)"), []),
        ((0, 0), ("236 ", "33 (level) "), []),
        ((1, 1), ("236 ", "33 (level) "), [0, 1]),
    ],
)
def test_stuck(halted: tuple[int, int], in_service: tuple[str, str], stuck: list[int]) -> None:
    def monitor(line: str) -> str:
        if line == "info registers -a":
            return REGISTERS.format(*halted)
        index = int(line.removeprefix("info lapic "))
        return LAPIC.format(index, in_service[index])

    assert stuck_cpus(monitor) == stuck


def test_a_monitor_that_says_something_else() -> None:
    assert stuck_cpus(lambda line: "unknown command") == []
