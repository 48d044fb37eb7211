"""The Debian guest under QEMU: what is in it, and a kernel that secure boot refuses.

BIOS, UEFI and secure boot from its disk are in ``tests/real/e2e/guests``.
"""

import subprocess
from pathlib import Path

import pytest

from solovirt.host.debian.build import DebianImage
from solovirt.host.volumes import iso
from tests.support import debianguest, tinyguest

pytestmark = pytest.mark.real

USER_DATA = b"""#cloud-config
write_files:
- {path: /root/seeded, content: "a word from the seed"}
users:
- {name: alice, shell: /bin/bash, ssh_authorized_keys: ["ssh-ed25519 AAAA alice"]}
runcmd:
- [sh, -c, "echo $(hostname) > /root/ran"]
"""
TOOLS = "qemu-ga cloud-init tpm2_pcrread lspci lsusb dmidecode socat ip lsblk modprobe sshd growpart"


@pytest.fixture(scope="session")
def debian() -> DebianImage:
    return debianguest.image()


def test_kernel_boot_with_a_seed_and_a_network(debian: DebianImage, tmp_path: Path) -> None:
    meta = b"instance-id: one\nlocal-hostname: seeded-host\n"
    iso.write(tmp_path / "seed.iso", "cidata", {"meta-data": meta, "user-data": USER_DATA})
    seed = tinyguest.disk(tmp_path / "seed.iso", "virtio-blk-pci,drive=DISK", file_format="raw", node="seed")
    network = ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
    with debianguest.start(debian.disk, *debianguest.kernel(debian), *seed, *network) as guest:
        debianguest.wait_for_agent(guest)
        info = guest.agent.call("guest-get-osinfo")
        assert isinstance(info, dict)
        assert (info["id"], info["version-id"]) == ("debian", "12")
        assert "cloud" not in str(info["kernel-release"]), "the full kernel, with drivers of real hardware"
        assert guest.run("test ! -e /sys/firmware/efi && cat /proc/cmdline").startswith("root=LABEL=root rw ")
        assert guest.run(f"for tool in {TOOLS}; do command -v $tool > /dev/null || echo $tool; done") == ""
        for module in ("e1000e", "i6300esb", "virtiofs", "ahci", "tpm_tis", "snd_hda_intel", "usb_storage"):
            guest.run(f"modinfo {module} > /dev/null")

        debianguest.wait_until(guest, "test -e /var/lib/cloud/instance/boot-finished")
        assert guest.run("cat /root/seeded /root/ran") == "a word from the seedseeded-host"
        assert "alice" in guest.run("cat /home/alice/.ssh/authorized_keys")
        assert "10.0.2.15/24" in guest.run("ip -4 addr")
        assert "NoCloud" in guest.run("cat /run/cloud-init/cloud.cfg")
        assert guest.run("systemctl --failed --no-legend --plain") == ""


def test_secure_boot_refuses_a_kernel_that_somebody_changed(debian: DebianImage, tmp_path: Path) -> None:
    changed = tmp_path / "changed.raw"
    subprocess.run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(debian.disk), str(changed)], check=True, timeout=120
    )
    change_kernel(debian.kernel.read_bytes(), changed)
    with debianguest.start(changed, *debianguest.efi(tmp_path, secure=True), secure=True, file_format="raw") as guest:
        debianguest.wait_for_text(guest, "bad shim signature")

        assert "Linux version" not in guest.serial()


def change_kernel(kernel: bytes, disk: Path) -> None:
    """One bit of the kernel's file on the raw disk."""
    place = len(kernel) // 2 & ~4095
    block = kernel[place : place + 4096]
    with disk.open("r+b") as stream:
        offset, before = 0, b""
        while data := stream.read(16 << 20):
            found = (before + data).find(block)
            if found >= 0:
                stream.seek(offset - len(before) + found)
                stream.write(bytes([block[0] ^ 1]))
                return
            offset, before = offset + len(data), data[-4096:]
    raise AssertionError("the kernel is not on the disk")
