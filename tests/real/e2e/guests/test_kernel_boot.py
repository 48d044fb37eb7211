"""A Debian guest by its kernel and initrd alone, from a USB disk; at last its watchdog resets it."""

from __future__ import annotations

import pytest

from tests.real.e2e.guests.rows import Row, check, events, said, table, wait_booted
from tests.support.system import System, wait_until

pytestmark = pytest.mark.real
NAME = "kernel"


@pytest.fixture(scope="module")
def guest(guests: System) -> System:
    wait_booted(guests, NAME)
    return guests


ROWS = (
    Row("domain.firmware.kernelBoot.kernelArgs", "grep -o 'solovirt.asked=[a-z]*' /proc/cmdline", "solovirt.asked=yes"),
    Row("domain.firmware.kernelBoot.container", "grep -c BOOT_IMAGE /proc/cmdline || true", "0"),
    Row("domain.devices.disks.disk.bus", "readlink -f /sys/class/block/sda | grep -c /usb; findmnt -no SOURCE /",
        "1\n/dev/sda3"),
    Row("domain.devices.useVirtioTransitional", "pci 1af4:1001; pci 1af4:1042; cat /sys/class/block/vda/serial",
        "1\n0\nOLD"),
    Row("domain.devices.interfaces.model", "pci 8086:100e", "1"),
    Row("domain.devices.tpm", "modprobe tpm_crb; cat /sys/class/tpm/tpm0/tpm_version_major; "
        "grep -c '[1-9A-F]' /sys/class/tpm/tpm0/pcr-sha256/0", "2\n1"),
    Row("domain.cpu.cores", "nproc", "1"),
    Row("domain.memory.guest", "dmidecode -t 17 | awk '/^\\tSize:/ {print $2, $3}'", "768 MB"),
)  # fmt: skip


@table(*ROWS)
def test_field(guest: System, row: Row) -> None:
    check(guest, NAME, row)


def test_the_watchdog_resets_the_guest(guest: System) -> None:
    """The last of this guest: it begins anew, as the same VMI with the same QEMU."""
    pid, uid = guest.qemu(NAME), guest.uid(NAME)
    said(guest, NAME, "modprobe i6300esb; udevadm settle; wdctl --settimeout 2 /dev/$(watchdog) > /dev/null")
    said(guest, NAME, "echo now > /dev/$(watchdog)")
    wait_until(lambda: events(guest, "Watchdog", NAME), 120, lambda: guest.about(NAME))
    assert events(guest, "Watchdog", NAME) == ["The guest did not feed its watchdog (action: reset)"]
    assert guest.phase(NAME) == "Running"
    assert (guest.qemu(NAME), guest.uid(NAME)) == (pid, uid)
