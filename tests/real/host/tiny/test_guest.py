"""The tiny guest under QEMU: boots every way, obeys its seed, reaches the network, takes hotplug, shuts down."""

from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.host.volumes import iso
from tests.support import tinyguest

pytestmark = pytest.mark.real

SCRIPT = """#!/bin/bash
echo "online: $(ls /run/online)" > /run/script-saw
echo a word from the script
exit 7
"""
NETWORK = ("-netdev", "user,id=net,hostname=from-dhcp", "-device", "virtio-net-pci,netdev=net,romfile=")


@pytest.fixture(scope="session")
def tiny() -> TinyImage:
    return tinyguest.image()


@pytest.mark.parametrize(
    "devices",
    [
        ("virtio-blk-pci,drive=DISK,bootindex=1",),
        ("virtio-scsi-pci", "scsi-hd,drive=DISK,bootindex=1"),
        ("ide-hd,drive=DISK,bootindex=1",),
    ],
    ids=["virtio", "scsi", "sata"],
)
def test_the_disk_boots_from_each_bus(tiny: TinyImage, devices: tuple[str, ...]) -> None:
    with tinyguest.start(*tinyguest.disk(tiny.disk, *devices)) as guest:
        guest.wait_for_agent()
        info = guest.agent.call("guest-get-osinfo")

        assert isinstance(info, dict)
        assert info["id"] == "solovirt-tiny"
        assert str(info["pretty-name"]).startswith("solovirt tiny (Debian")
        assert "BOOT_IMAGE=vmlinuz" in guest.run("cat /proc/cmdline")


def test_a_nocloud_seed_names_the_guest_and_runs_its_script_once_online(tiny: TinyImage, tmp_path: Path) -> None:
    meta = b'{"instance-id":"web.default","local-hostname":"web-01","public-keys":{"0":"ssh-ed25519 A"}}'
    iso.write(tmp_path / "seed.iso", "cidata", {"meta-data": meta, "user-data": SCRIPT.encode(), "network-data": b""})
    seed = tinyguest.disk(tmp_path / "seed.iso", "virtio-blk-pci,drive=DISK", file_format="raw", node="seed")
    with tinyguest.start(*tinyguest.kernel(tiny), *NETWORK, *seed) as guest:
        guest.wait_for_agent()
        guest.wait_until("test -s /run/user-data.status")

        assert guest.run("hostname") == "web-01"
        assert guest.run("cat /run/script-saw") == "online: /run/online"
        assert guest.run("cat /run/user-data.status") == "7"
        assert "a word from the script" in guest.serial()
        assert "user-data script ended with status 7" in guest.serial()
        assert "10.0.2.15/24" in guest.run("ip -4 addr show dev eth0")
        assert "via 10.0.2.2" in guest.run("ip route show default")
        assert guest.run("cat /etc/resolv.conf") == "nameserver 10.0.2.3"
        guest.run("ping -c 1 -W 5 10.0.2.2")


def test_a_config_drive_on_scsi_with_cloud_config_is_told_not_to_be_understood(tiny: TinyImage, tmp_path: Path) -> None:
    content = {
        "openstack/latest/meta_data.json": b'{"uuid":"u","hostname":"drive.example.org"}',
        "openstack/latest/user_data": b"#cloud-config\npackages: [nginx]\n",
        "openstack/latest/network_data.json": b"{}",
    }
    iso.write(tmp_path / "seed.iso", "config-2", content)
    seed = tinyguest.disk(
        tmp_path / "seed.iso", "virtio-scsi-pci", "scsi-cd,drive=DISK", file_format="raw", node="seed"
    )
    with tinyguest.start(*tinyguest.kernel(tiny), *seed) as guest:
        guest.wait_for_agent()
        guest.wait_until("test -e /run/ready")

        assert guest.run("hostname") == "drive"
        guest.wait_until("! pidof user-data")
        assert "user-data is not a script (#cloud-config): not understood" in guest.serial()
        assert "network_data.json of the seed is not understood" in guest.serial()


def test_without_a_seed_the_name_comes_by_dhcp_and_both_terminals_have_a_shell(tiny: TinyImage) -> None:
    with tinyguest.start(*tinyguest.kernel(tiny), *NETWORK, "-device", "VGA") as guest:
        guest.wait_for_agent()
        guest.wait_until("test -e /run/online && who | grep -q ttyS0 && who | grep -q tty1")

        assert guest.run("hostname") == "from-dhcp"
        users = guest.agent.call("guest-get-users")
        assert isinstance(users, list)
        assert [user["user"] for user in users if isinstance(user, dict)] == ["root"]
        assert "root@tiny:~# " in guest.serial() or "root@from-dhcp:~# " in guest.serial()


def test_hotplugged_memory_cpu_disk_and_nic_are_put_to_use(tiny: TinyImage, tmp_path: Path) -> None:
    extra = tmp_path / "extra.img"
    extra.write_bytes(bytes(1 << 20))
    options = (
        *("-smp", "1,sockets=2,maxcpus=2"),
        *("-device", "pcie-root-port,id=port1,slot=1", "-device", "pcie-root-port,id=port2,slot=2"),
        *("-netdev", "user,id=net"),
        *("-drive", f"file={extra},format=raw,if=none,id=extra"),
    )
    with tinyguest.start(*tinyguest.kernel(tiny), *options, memory="192,slots=2,maxmem=1G") as guest:
        guest.wait_for_agent()
        guest.wait_until("test -e /run/ready && pidof acpid")
        before = int(guest.run("awk '/MemTotal/ {print $2}' /proc/meminfo"))

        guest.qmp.call("object-add", qom_type="memory-backend-ram", id="m1", size=128 << 20)
        guest.qmp.call("device_add", driver="pc-dimm", id="d1", memdev="m1")
        guest.qmp.call("device_add", driver="max-x86_64-cpu", id="c1", socket_id=1, core_id=0, thread_id=0)
        guest.qmp.call("device_add", driver="virtio-blk-pci", id="b1", drive="extra", bus="port1")
        guest.qmp.call("device_add", driver="virtio-net-pci", id="n1", netdev="net", bus="port2")

        guest.wait_until(f"[ \"$(awk '/MemTotal/ {{print $2}}' /proc/meminfo)\" -ge {before + (128 << 10)} ]")
        assert "Movable" in guest.run("cat /sys/devices/system/memory/memory*/valid_zones")
        guest.wait_until('[ "$(nproc)" = 2 ]')
        guest.wait_until("test -b /dev/vda")
        guest.wait_until("ip -4 addr show dev eth0 | grep -q 10.0.2.15")


def test_the_power_button_switches_the_guest_off(tiny: TinyImage) -> None:
    with tinyguest.start(*tinyguest.kernel(tiny)) as guest:
        guest.wait_for_agent()
        guest.wait_until("pidof acpid")
        guest.qmp.call("system_powerdown")

        assert guest.ended() == 0


@pytest.mark.parametrize("mode", ["powerdown", "reboot"])
def test_the_agent_shuts_the_guest_down(tiny: TinyImage, mode: str) -> None:
    with tinyguest.start(*tinyguest.kernel(tiny)) as guest:
        guest.wait_for_agent()
        guest.agent.send("guest-shutdown", {"mode": mode})

        reasons = []
        while (message := guest.qmp.receive(tinyguest.PATIENCE)) is not None:
            if message.get("event") == "SHUTDOWN":
                data = message["data"]
                assert isinstance(data, dict)
                reasons.append(data["reason"])
        assert reasons == ["guest-shutdown" if mode == "powerdown" else "guest-reset"]
        assert guest.ended() == 0
