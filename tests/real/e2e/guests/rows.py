"""Rows of a guest's table: a field of its manifest, what to ask in the guest, and what the answer must be."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import pytest

from solovirt.cli.client import ApiError
from solovirt.kit.jsontypes import get_object
from tests.support.system import CORE, System

HERE = Path(__file__).parent
MANIFESTS = {
    "test_bios.py": HERE / "bios.yaml",
    "test_secure_boot.py": HERE / "secure.yaml",
    "test_efi.py": HERE / "efi.yaml",
    "test_kernel_boot.py": HERE / "kernel.yaml",
}
"""The machine of each module. ``@SLIC@`` and ``@ARGUMENTS@`` are filled in."""
PATIENCE = 900.0
"""Seconds for a boot in software emulation beside others on a busy machine; alone it takes a tenth of it."""
SHELL = r"""
by_serial() { lsblk -dno NAME,SERIAL | awk -v serial="$1" '$2 == serial {print $1}'; }
pci() { lspci -n | awk -v id="$1" '$3 == id {n++} END {print n + 0}'; }
flag() { grep -m1 ^flags /proc/cpuinfo | grep -cw "$1" || true; }
mounted() { d=$(mktemp -d) && mount -o ro "$1" $d && cat "$d/$2"; umount $d; rmdir $d; }
watchdog() { w=$(grep -l i6300ESB /sys/class/watchdog/*/identity); w=${w%/*}; echo ${w##*/}; }
"""
"""Functions for scripts. ``mounted DEVICE FILE`` prints a file of a file system."""


class Row(NamedTuple):
    """``field`` is a path below the VMI spec; ``script`` must print ``answer`` and succeed."""

    field: str
    script: str
    answer: str


def table(*rows: Row) -> pytest.MarkDecorator:
    """One test for each row."""
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.field) for row in rows])


def check(system: System, name: str, row: Row) -> None:
    assert said(system, name, row.script) == row.answer, row.script


def said(system: System, name: str, script: str) -> str:
    return system.sh(name, SHELL + script, PATIENCE / 5)


def wait_booted(system: System, name: str) -> None:
    """Until the agent answers: systemd has just begun."""
    system.wait_agent(name, PATIENCE)


def wait_finished(system: System, name: str) -> None:
    """Until the last service of the boot is up, cloud-init's among them where there is a seed."""
    wait_booted(system, name)
    done = "systemctl is-active --quiet multi-user.target && systemctl is-system-running | grep -E 'running|degraded'"

    def finished() -> bool:
        with contextlib.suppress(ApiError):  # it may be too busy to answer
            return system.guest(name, "/bin/sh", "-c", done, timeout=60).code == 0
        return False

    system.wait_boot(name, finished, PATIENCE, 1)


def events(system: System, reason: str, name: str) -> list[str]:
    """Messages of a VMI's events with that reason."""
    return [
        str(event["message"])
        for event in system.items(f"{CORE}/events")
        if event.get("reason") == reason and get_object(event, "involvedObject").get("name") == name
    ]
