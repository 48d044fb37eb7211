"""Volumes as the guest sees them: what is on them, what lasts and what does not."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from solovirt.host import access
from solovirt.kit.jsontypes import Json, JsonObject, get_object, get_str
from tests.support import web
from tests.support.manifests import (
    claim,
    config_map,
    data_volume,
    disk,
    secret,
    tiny_disk,
    tiny_kernel,
    vm,
)
from tests.support.system import CLAIMS, DATA_VOLUMES, EXAMPLES, VMS, System, wait_until

pytestmark = pytest.mark.real

BY_SERIAL = r"""
by_serial() {
    for entry in /sys/class/block/*; do
        serial=$(cat $entry/serial $entry/device/vpd_pg80 2>/dev/null | tr -d '\0')
        case $serial in *"$1"*) echo /dev/${entry##*/}; return;; esac
    done
    echo "no disk $1" >&2
    return 1
}
"""
"""A shell function: the device whose virtio or SCSI serial is $1."""


def test_example_disks(system: System) -> None:
    """examples/disks.yaml: buses, CD-ROM, ConfigMap, Secret, emptyDisk; a claim outlives restart and VM."""
    system.ok("apply", "-f", str(EXAMPLES / "disks.yaml"))
    system.wait_agent("disks")
    sh = lambda script: system.sh("disks", BY_SERIAL + script)  # noqa: E731
    assert sh("mount -t iso9660 -o ro $(by_serial SETTINGS) /mnt && cat /mnt/app.conf; umount /mnt") == "colour = green"
    assert sh("ls /sys/class/block | grep sr") == "sr0"
    assert sh("mount -t iso9660 -o ro /dev/sr0 /mnt && cat /mnt/token; umount /mnt") == "swordfish"
    assert sh("dd if=/dev/sr0 bs=1 skip=32808 count=4 2>/dev/null") == "KEYS"
    assert sh("dd if=/dev/zero of=/dev/sr0 count=1 2>&1 || echo refused").endswith("refused")
    assert sh("blockdev --getsize64 $(by_serial SCRATCH)") == str(128 << 20)
    assert sh("blockdev --getsize64 $(by_serial DATA)") == str(256 << 20)
    for name in ("DATA", "SCRATCH"):
        sh(f"printf kept-{name} | dd of=$(by_serial {name}) conv=fsync 2>/dev/null")
    assert sh("grep -c . /proc/cpuinfo") != "0"
    found = system.find(CLAIMS, "disks-data")
    assert get_str(get_object(found or {}, "status"), "phase") == "Bound"
    system.ok("restart", "disks", "--wait")
    system.wait_agent("disks")
    assert sh("dd if=$(by_serial DATA) bs=9 count=1 2>/dev/null") == "kept-DATA"
    assert "kept" not in sh("dd if=$(by_serial SCRATCH) bs=12 count=1 2>/dev/null | tr -d '\\0'")
    system.delete(VMS, "disks")
    assert system.find(CLAIMS, "disks-data") is not None
    assert (system.state / "volumes" / "default" / "disks-data").is_dir()


def test_example_datavolume(system: System) -> None:
    """examples/datavolume.yaml: made with the VM, kept over a restart, unlike the root disk; gone with the VM."""
    system.ok("apply", "-f", str(EXAMPLES / "datavolume.yaml"))
    system.wait_agent("datavolume")
    sh = lambda script: system.sh("datavolume", BY_SERIAL + script)  # noqa: E731
    assert json.loads(system.ok("get", "dv", "datavolume-data", "-o", "json"))["status"]["phase"] == "Succeeded"
    assert "100.0%" in system.ok("get", "dv")
    sh("printf precious | dd of=$(by_serial DATA) conv=fsync 2>/dev/null")
    # The root disk is an overlay of the image: what is written to it lasts as long as the VMI.
    sh("printf fleeting | dd of=/dev/vda bs=512 seek=40000 conv=fsync 2>/dev/null")
    system.ok("restart", "datavolume", "--wait")
    system.wait_agent("datavolume")
    assert sh("dd if=$(by_serial DATA) bs=8 count=1 2>/dev/null") == "precious"
    assert "fleeting" not in sh("dd if=/dev/vda bs=512 skip=40000 count=1 2>/dev/null | tr -d '\\0'")
    system.delete(VMS, "datavolume")
    wait_until(lambda: system.find(DATA_VOLUMES, "datavolume-data") is None, 60, "the VM's DataVolume is deleted")
    wait_until(lambda: system.find(CLAIMS, "datavolume-data") is None, 60, "and its claim")


def test_example_cloud_init(system: System) -> None:
    """examples/cloud-init.yaml: the user data comes out of a Secret, the hostname out of the spec."""
    system.ok("apply", "-f", str(EXAMPLES / "cloud-init.yaml"))
    system.wait_agent("cloud-init")
    system.wait_seed_script("cloud-init")
    assert system.sh("cloud-init", "cat /etc/motd; hostname") == "configured by a Secret\nconfigured"


def test_example_kernel_boot(system: System) -> None:
    """examples/kernel-boot.yaml: kernel and initramfs out of an image, no disk at all."""
    system.ok("apply", "-f", str(EXAMPLES / "kernel-boot.yaml"))
    system.wait_agent("kernel-boot")
    assert system.sh("kernel-boot", "cat /proc/cmdline") == "console=ttyS0 quiet"
    assert system.sh("kernel-boot", "ls /sys/class/block | grep -c '^[vs]d' || true") == "0"


def test_every_example_has_a_test() -> None:
    here = Path(__file__).parent
    tests = "".join(path.read_text() for path in here.glob("test_*.py"))
    missing = [path.name for path in EXAMPLES.iterdir() if f'"{path.name}"' not in tests]
    assert not missing


def config_drive(name: str) -> tuple[list[Json], list[Json]]:
    volumes: list[Json] = [
        {"name": "seed", "cloudInitConfigDrive": {"userData": f"#!/bin/sh\necho {name} > /tmp/drive\n"}},
        {"name": "plain", "configMap": {"name": "plain"}},
        {"name": "hidden", "secret": {"secretName": "hidden"}},
        {"name": "imported", "dataVolume": {"name": "imported"}},
        {"name": "claimed", "persistentVolumeClaim": {"claimName": "claimed"}},
    ]
    disks: list[Json] = [
        disk("seed", "scsi"),
        disk("plain", serial="PLAIN"),
        disk("hidden", "scsi", serial="HIDDEN"),
        disk("imported", serial="IMPORTED", cache="writeback"),
        disk("claimed", "scsi", serial="CLAIMED", cache="none"),
    ]
    return disks, volumes


def test_config_drive_http_import_and_claims(system: System, tmp_path: Path) -> None:
    """One guest with a ConfigDrive, a DataVolume from http (qcow2, checksummed), a claim, and hostile file names."""
    raw, packed = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    raw.write_bytes(b"imported over http".ljust(1 << 20, b"\0"))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, packed], check=True, timeout=30)
    data = packed.read_bytes()
    with web.files({"/disk.qcow2": data}) as server:
        source: JsonObject = {
            "http": {"url": server.url("/disk.qcow2"), "checksum": f"sha256:{hashlib.sha256(data).hexdigest()}"}
        }
        disks, volumes = config_drive("drive")
        host = system.state.parent / "host.img"
        volumes.append({"name": "host", "hostDisk": {"path": str(host), "type": "DiskOrCreate", "capacity": "2Mi"}})
        disks.append(disk("host", serial="HOST"))
        template: JsonObject = {"hostname": "by-drive", "networks": [{"name": "pod", "pod": {}}]}
        domain: JsonObject = {"firmware": tiny_kernel(), "cpu": {"sockets": 1, "cores": 2, "model": "qemu64"}}
        nics: JsonObject = {"interfaces": [{"name": "pod", "bridge": {}, "macAddress": "02:00:00:00:00:2a"}]}
        system.apply(
            config_map("plain", {"key with spaces".replace(" ", "-"): "text\n", "two": "2"}),
            secret("hidden", {"password": "päss,word\n"}),
            claim("claimed"),
            data_volume("imported", source, "16Mi"),
            vm("drive", disks=disks, volumes=volumes, template=template, devices=nics, domain=domain),
        )
        system.wait_agent("drive")
        system.wait_seed_script("drive")
    sh = lambda script: system.sh("drive", BY_SERIAL + script)  # noqa: E731
    assert sh("cat /tmp/drive; hostname") == "drive\nby-drive"
    assert sh("dd if=$(by_serial IMPORTED) bs=18 count=1 2>/dev/null") == "imported over http"
    assert sh("blockdev --getsize64 $(by_serial IMPORTED)") == str(16 << 20)
    assert sh("mount -t iso9660 -o ro $(by_serial HIDDEN) /mnt && cat /mnt/password; umount /mnt") == "päss,word"
    assert sh("mount -t iso9660 -o ro $(by_serial PLAIN) /mnt && ls /mnt; umount /mnt") == "key-with-spaces\ntwo"
    assert sh("nproc; cat /sys/class/net/eth0/address") == "2\n02:00:00:00:00:2a"
    assert "inet 10.0.2.2/24" in sh("ip -4 addr show dev eth0")
    # A guest that may grow keeps 64 MiB for bounce buffers (docs/hotplug.md).
    assert 140_000 < int(sh("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")) <= 256 << 10
    sh("printf 'on the host' | dd of=$(by_serial HOST) conv=fsync 2>/dev/null")
    sh("printf 'claimed' | dd of=$(by_serial CLAIMED) conv=fsync 2>/dev/null")
    system.ok("stop", "drive", "--wait")
    assert host.read_bytes().startswith(b"on the host") and host.stat().st_size == 2 << 20
    wait_until(lambda: not access.granted(host), 60, "what the machine could reach is taken back")
    disk_file = next((system.state / "volumes" / "default" / "claimed").glob("disk.*"))
    shown = subprocess.run(
        ["qemu-img", "dd", "-O", "raw", f"if={disk_file}", f"of={tmp_path}/out", "bs=512", "count=1"], timeout=30
    )
    assert shown.returncode == 0 and (tmp_path / "out").read_bytes().startswith(b"claimed")


def test_a_claim_is_used_by_one_vm_at_a_time(system: System) -> None:
    """QEMU's image lock would refuse the second: the message must be about the claim, and nobody loses data."""
    volumes: list[Json] = [{"name": "data", "persistentVolumeClaim": {"claimName": "single"}}]
    paused: JsonObject = {"startStrategy": "Paused"}
    system.apply(claim("single"))
    system.apply(vm("first", memory="32Mi", disks=[disk("data")], volumes=volumes, template=paused))
    system.wait_printable("first", "Paused")
    system.apply(vm("second", memory="32Mi", disks=[disk("data")], volumes=volumes, template=paused))
    wait_until(
        lambda: any("default/single/" in line and "lock" in line for line in system.ok("get", "events").splitlines()),
        60,
        lambda: f"an event that names the claim: {system.about('second')}",
    )
    assert system.printable("first") == "Paused"


def test_missing_claim_and_failing_import_say_so(system: System) -> None:
    volumes: list[Json] = [{"name": "data", "persistentVolumeClaim": {"claimName": "nowhere"}}]
    system.apply(vm("lacking", memory="32Mi", disks=[disk("data")], volumes=volumes))
    system.wait_printable("lacking", "ErrorPvcNotFound")
    assert "nowhere" in system.ok("describe", "vmi", "lacking")
    system.apply(claim("nowhere"))
    system.wait_phase("lacking", "Running")
    with web.files({}) as server:
        system.apply(data_volume("broken", {"http": {"url": server.url("/missing.img")}}))
        wait_until(lambda: "404" in system.ok("describe", "dv", "broken"), 60, lambda: system.about("broken"))


def test_sata_disks_reach_qemu(system: System) -> None:
    """The tiny guest's kernel has no AHCI driver, so that QEMU takes them is what can be shown."""
    volumes: list[Json] = [tiny_disk(), {"name": "cd", "emptyDisk": {"capacity": "1Mi"}}]
    disks: list[Json] = [disk("root", "sata"), {"name": "cd", "cdrom": {"bus": "sata"}}]
    system.apply(vm("sata", memory="64Mi", disks=disks, volumes=volumes, template={"startStrategy": "Paused"}))
    system.wait_printable("sata", "Paused")
