"""A Debian guest with what Windows asks for, secure boot and a TPM, and with shared directories."""

from __future__ import annotations

import pytest

from tests.real.e2e.guests.rows import Row, check, said, table, wait_finished
from tests.support.system import System

pytestmark = pytest.mark.real
NAME = "secure"
EFI_VARIABLE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
MOUNT = "d=$(mktemp -d); mount -t virtiofs {tag} $d; cd $d; "


@pytest.fixture(scope="module")
def guest(guests: System) -> System:
    wait_finished(guests, NAME)
    return guests


ROWS = (
    Row("domain.firmware.bootloader.efi.secureBoot", f"od -An -tu1 -j4 {EFI_VARIABLE} | tr -d ' '", "1"),
    Row("domain.features.smm.enabled", "dmesg | grep -c 'Secure boot enabled'; "
        "grep -o '.[a-z]*.' /sys/kernel/security/lockdown | sed -n 's/.*\\(\\[.*\\]\\).*/\\1/p'", "1\n[integrity]"),
    Row("domain.firmware.bootloader.efi", "cat /proc/cmdline | cut -d' ' -f1", "BOOT_IMAGE=/vmlinuz"),
    Row("domain.devices.tpm", "test -c /dev/tpm0; cat /sys/class/tpm/tpm0/tpm_version_major", "2"),
    Row("domain.devices.tpm", "tpm2_pcrread sha256:7 | tail -1 | grep -c ': 0x[0-9A-F]\\{64\\}$'; "
        "tpm2_pcrread sha256:7 | grep -c 0x0000000000000000 || true", "1\n0"),
    Row("domain.devices.filesystems.virtiofs", MOUNT.format(tag="kept") +
        "echo word > kept; sync; cat kept; df --output=fstype . | tail -1", "word\nvirtiofs"),
    Row("volumes.configMap", MOUNT.format(tag="settings") +
        "cat colour; echo; (echo red > colour) 2>/dev/null || echo refused", "green\nrefused"),
    Row("volumes.secret", MOUNT.format(tag="token") + "cat token", "swordfish"),
    Row("domain.devices.disks.disk.bus", "readlink -f /sys/class/block/sda | grep -c /virtio.*/host; "
        "findmnt -no SOURCE /", "1\n/dev/sda3"),
    Row("domain.devices.interfaces.model", "cd /sys/class/net/e*; basename $(readlink device/driver); "
        "ip -4 -o addr show dev ${PWD##*/} | awk '{print $4}'; pci 8086:10d3", "e1000e\n10.0.2.2/24\n1"),
    Row("domain.devices.sound.model", "pci 8086:2415", "1"),
    Row("domain.devices.video.type", "pci 1234:1111", "1"),
    Row("domain.devices.inputs.bus", "grep -c 'QEMU Virtio Tablet' /proc/bus/input/devices", "1"),
    Row("domain.cpu.cores", "lscpu | awk -F: '/^Socket|^Core.s. per|^Thread/ {print $1, $2 + 0}' | sort",
        "Core(s) per socket 2\nSocket(s) 1\nThread(s) per core 1"),
    Row("domain.cpu.maxSockets", "cat /sys/devices/system/cpu/possible", "0-1"),
)  # fmt: skip


@table(*ROWS)
def test_field(guest: System, row: Row) -> None:
    check(guest, NAME, row)


def test_files_in_a_shared_claim_are_files_of_the_host(guest: System) -> None:
    said(guest, NAME, MOUNT.format(tag="kept") + "echo from the guest > told; sync")
    [file] = (guest.state / "volumes" / "default" / "kept").rglob("told")
    assert file.read_text() == "from the guest\n"


def test_the_kernel_takes_no_module_that_nobody_signed(guest: System) -> None:
    script = (
        "cd $(mktemp -d); m=$(modinfo -n dummy); head -c $(($(stat -c %s $m) - 800)) $m > dummy.ko; "
        "insmod ./dummy.ko 2>&1 && echo taken || true"
    )
    answer = said(guest, NAME, script)
    assert ("taken" not in answer and "rejected by service" in answer) or "not permitted" in answer
