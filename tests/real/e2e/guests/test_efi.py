"""A Debian guest that boots from UEFI without secure boot; at last its kernel panics."""

from __future__ import annotations

import contextlib
import time

import pytest

from solovirt.kit.errors import SolovirtError
from tests.real.e2e.guests.rows import Row, check, events, said, table, wait_booted
from tests.support.system import System, wait_until

pytestmark = pytest.mark.real
NAME = "efi"
EFI_VARIABLE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
NINE_HOURS = 9 * 3600
"""Between UTC and the manifest's timezone."""


@pytest.fixture(scope="module")
def guest(guests: System) -> System:
    wait_booted(guests, NAME)
    return guests


ROWS = (
    Row("domain.firmware.bootloader.efi.secureBoot", f"od -An -tu1 -j4 {EFI_VARIABLE} | tr -d ' '; "
        "cut -d' ' -f1 /sys/kernel/security/lockdown", "0\n[none]"),
    Row("domain.devices.disks.disk.bus", "readlink -f /sys/class/block/sda | grep -c /ata; findmnt -no SOURCE /",
        "1\n/dev/sda3"),
    Row("domain.devices.interfaces.model", "pci 10ec:8139", "1"),
    Row("domain.devices.autoattachMemBalloon", "pci 1af4:1045", "0"),
    Row("domain.devices.autoattachGraphicsDevice", "lspci -n | grep -c ' 0300: ' || true", "0"),
    Row("domain.devices.panicDevices.model", "pci 1b36:0011", "1"),
    Row("domain.clock.timer.hpet.present", "ls /sys/firmware/acpi/tables | grep HPET", "HPET"),
    Row("domain.cpu.threads", "cat /sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0-1"),
)  # fmt: skip


@table(*ROWS)
def test_field(guest: System, row: Row) -> None:
    check(guest, NAME, row)


def test_timezone(guest: System) -> None:
    """The clock on the wall of that place, which a guest that reads it as UTC shows as such."""
    before = time.time()
    told = int(said(guest, NAME, "date +%s"))
    assert before - 60 < told - NINE_HOURS < time.time() + 60


def test_a_panic_is_told_and_ends_the_guest(guest: System) -> None:
    """The last of this guest."""
    said(guest, NAME, "modprobe pvpanic-pci")
    with contextlib.suppress(SolovirtError):
        guest.guest(NAME, "/bin/sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger", timeout=5)
    guest.wait_phase(NAME, "Failed", 120)
    assert events(guest, "GuestPanicked", NAME)
    assert "The guest panicked." in events(guest, "Stopped", NAME)
    wait_until(lambda: NAME not in str(guest.processes()), 60, "its QEMU is gone")
