"""A Debian guest that boots from BIOS: buses, volumes, small devices, identity; at last its watchdog fires."""

from __future__ import annotations

import time

import pytest

from tests.real.e2e.guests.rows import Row, check, events, said, table, wait_finished
from tests.support.system import System

pytestmark = pytest.mark.real
NAME = "bios"
OFFSET = 864000
"""The manifest's clock.utc.offsetSeconds."""


@pytest.fixture(scope="module")
def guest(guests: System) -> System:
    wait_finished(guests, NAME)
    return guests


DISKS = (
    Row("domain.devices.disks.bootOrder", "findmnt -no SOURCE,FSTYPE / | grep -c '/dev/vd.3 *ext4'", "1"),
    Row("domain.devices.disks.serial", "test -b /dev/disk/by-id/virtio-THROUGH; echo $?", "0"),
    Row("domain.devices.disks.disk.bus", "readlink -f /sys/class/block/$(by_serial SATA-1) | grep -c /ata", "1"),
    Row("domain.devices.disks.disk.bus", "lsblk -dno HCTL,SIZE /dev/$(by_serial SCSI-1) | tr -s ' '",
        "0:0:0:0 24M"),
    Row("domain.devices.disks.disk.bus", "lsblk -dno TRAN,SIZE /dev/$(by_serial USB-1) | tr -s ' '", "usb 32M"),
    Row("domain.devices.disks.disk.readonly", "cat /sys/class/block/$(by_serial READONLY)/ro; "
        "dd if=/dev/zero of=/dev/$(by_serial READONLY) count=1 2>/dev/null && echo written || echo refused",
        "1\nrefused"),
    Row("domain.devices.disks.disk.pciAddress", "readlink -f /sys/class/block/$(by_serial FIXED) | "
        "grep -c /0000:00:1c.0/", "1"),
    Row("domain.devices.disks.cache", "cat /sys/class/block/$(by_serial THROUGH)/queue/write_cache "
        "/sys/class/block/$(by_serial FIXED)/queue/write_cache", "write through\nwrite back"),
    Row("domain.devices.disks.blockSize.custom.logical", "cat /sys/class/block/$(by_serial BLOCKS)/queue/"
        "logical_block_size", "4096"),
    Row("domain.devices.disks.blockSize.custom.physical", "cat /sys/class/block/$(by_serial BLOCKS)/queue/"
        "physical_block_size", "16384"),
    Row("domain.devices.disks.blockSize.custom.discardGranularity", "cat /sys/class/block/$(by_serial BLOCKS)/queue/"
        "discard_granularity", "65536"),
    Row("domain.devices.blockMultiQueue", "ls /sys/class/block/$(by_serial FIXED)/mq | wc -l", "2"),
    Row("domain.devices.disks.cdrom", "dd if=$(readlink -f /dev/disk/by-path/*-ata-3) count=1 2>&1 | "
        "grep -c 'No medium'", "1"),
    Row("domain.devices.disks.cdrom.bus", "lsblk -dno TRAN,TYPE,LABEL | grep rom | sort | awk '{print $1, $NF}'",
        "rom unattendCD\nsata rom\nsata virtio-win\nusb SECRETS"),
    Row("domain.devices.disks.cdrom.readonly", "d=$(blkid -L SECRETS); dd if=/dev/zero of=$d count=1 2>/dev/null || "
        "echo refused", "refused"),
)  # fmt: skip

VOLUMES = (
    Row("volumes.containerDisk", "mounted $(blkid -L virtio-win) NetKVM/w11/amd64/netkvm.inf", "[Version]"),
    Row("volumes.sysprep", "mounted $(blkid -L unattendCD) autounattend.xml", "<unattend/>"),
    Row("volumes.secret.volumeLabel", "mounted $(blkid -L SECRETS) token", "swordfish"),
    Row("volumes.configMap.volumeLabel", "mounted $(blkid -L SETTINGS) colour", "green"),
    Row("volumes.downwardAPI.volumeLabel", 'mounted $(blkid -L ME) labels | grep "^app="', 'app="guests"'),
    Row("volumes.emptyDisk.capacity", "lsblk -bdno SIZE /dev/$(by_serial FIXED)", str(16 << 20)),
    Row("volumes.downwardMetrics", "head -c 4 /dev/$(lsblk -dno NAME,SIZE | awk '$2 == \"256K\" {print $1}')", "mvbd"),
    Row("volumes.cloudInitNoCloud.userData", "cat /root/seeded; echo; cat /root/ran; id -un alice; "
        "cut -d' ' -f3 ~alice/.ssh/authorized_keys", "a word from the seed\nran on named\nalice\nalice"),
)  # fmt: skip

DEVICES = (
    Row("domain.devices.interfaces.model", "cat /sys/class/net/eno42/device/modalias | cut -c1-24",
        "virtio:d00000001v00001AF4"[:24]),
    Row("domain.devices.interfaces.macAddress", "cat /sys/class/net/eno42/address", "02:00:00:00:00:2a"),
    Row("domain.devices.interfaces.acpiIndex", "ls /sys/class/net | grep -v lo", "eno42"),
    Row("networks.pod.vmNetworkCIDR", "ip -4 -o addr show dev eno42 | awk '{print $4}'; ip route | awk "
        "'/^default/ {print $3}'", "10.11.12.2/24\n10.11.12.1"),
    Row("domain.devices.inputs", "grep -c 'QEMU USB Tablet\\|QEMU Virtio Tablet' /proc/bus/input/devices", "2"),
    Row("domain.devices.sound.model", "pci 8086:293e; grep -c HDA-Intel /proc/asound/cards", "1\n1"),
    Row("domain.devices.video.type", "pci 1af4:1050", "1"),
    Row("domain.devices.rng", "cat /sys/class/misc/hw_random/rng_current", "virtio_rng.0"),
    Row("domain.devices.watchdog", "pci 8086:25ab; cat /sys/class/watchdog/$(watchdog)/identity",
        "1\ni6300ESB timer"),
    Row("domain.devices.panicDevices.model", "cat /sys/bus/acpi/devices/QEMU0001:00/status; "
        "ls /sys/bus/platform/drivers/pvpanic-mmio | grep -c QEMU0001", "15\n1"),
    Row("domain.devices.autoattachMemBalloon", "pci 1af4:1045", "1"),
    Row("domain.devices.downwardMetrics", "exec 3<>/dev/virtio-ports/org.github.vhostmd.1; "
        "printf 'GET /metrics/XML\\n\\n' >&3; timeout 60 head -c 9 <&3", "<metrics>"),
)  # fmt: skip

MACHINE = (
    Row("domain.cpu.sockets", "lscpu | awk -F: '/^Socket|^Core.s. per|^Thread/ {print $2 + 0}' | sort | xargs",
        "1 1 2"),
    Row("domain.cpu.maxSockets", "cat /sys/devices/system/cpu/possible", "0-3"),
    Row("domain.cpu.model", "grep -m1 -o 'Haswell, no TSX' /proc/cpuinfo", "Haswell, no TSX"),
    Row("domain.cpu.features.policy", "for f in avx2 movbe abm rdrand; do echo $f $(flag $f); done",
        "avx2 0\nmovbe 0\nabm 1\nrdrand 1"),
    Row("domain.memory.guest", "dmidecode -t 17 | awk '/^\\tSize:/ {print $2, $3}'", "1 GB"),
    Row("domain.memory.maxGuest", "pci 1af4:1058; test -e /sys/firmware/acpi/tables/SRAT; echo $?", "1\n0"),
    Row("domain.clock.timer.hpet.present", "ls /sys/firmware/acpi/tables | grep -c HPET || true", "0"),
    Row("domain.firmware.bootloader.bios", "test -e /sys/firmware/efi && echo efi || "
        "cat /sys/class/dmi/id/bios_vendor", "SeaBIOS"),
    Row("domain.firmware.uuid", "cat /sys/class/dmi/id/product_uuid", "5d307ca9-b3ef-428c-8861-06e72d69f223"),
    Row("domain.firmware.serial", "cat /sys/class/dmi/id/product_serial", "SN-0042.7"),
    Row("domain.firmware.acpi.slicNameRef", "head -c 4 /sys/firmware/acpi/tables/SLIC", "SLIC"),
    Row("domain.chassis.manufacturer", "cat /sys/class/dmi/id/chassis_vendor", "Acme, Inc."),
    Row("domain.chassis.version", "cat /sys/class/dmi/id/chassis_version", "1.0"),
    Row("domain.chassis.serial", "cat /sys/class/dmi/id/chassis_serial", "CH-0042"),
    Row("domain.chassis.asset", "cat /sys/class/dmi/id/chassis_asset_tag", "rack 7"),
    Row("domain.chassis.sku", "dmidecode -t 3 | awk '/SKU Number/ {print $3}'", "A1"),
    Row("hostname", "hostname", "named"),
)  # fmt: skip


@table(*DISKS, *VOLUMES, *DEVICES, *MACHINE)
def test_field(guest: System, row: Row) -> None:
    check(guest, NAME, row)


def test_every_service_of_the_guest_is_well(guest: System) -> None:
    assert said(guest, NAME, "systemctl --failed --no-legend --plain") == ""


def test_clock_offset(guest: System) -> None:
    before = time.time()
    told = int(guest.ok("exec", NAME, "--", "date", "+%s"))
    assert before - 60 < told - OFFSET < time.time() + 60


def test_the_watchdog_switches_the_guest_off(guest: System) -> None:
    """The last of this guest: it opens its watchdog and feeds it no more."""
    said(guest, NAME, "wdctl --settimeout 2 /dev/$(watchdog) > /dev/null && echo now > /dev/$(watchdog)")
    guest.wait_phase(NAME, "Failed", 120)
    assert events(guest, "Watchdog", NAME) == ["The guest did not feed its watchdog (action: poweroff)"]
    guest.wait_printable(NAME, "Stopped")
