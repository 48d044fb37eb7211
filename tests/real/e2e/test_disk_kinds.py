"""Less usual disks as a guest sees them, many in one guest; disks that two machines share."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from solovirt.host.volumes import metrics
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object
from tests.real.e2e.test_disks import BY_SERIAL
from tests.real.e2e.test_faults import tmpfs
from tests.support.manifests import claim, config_map, data_volume, disk, secret, tiny_disk, tiny_kernel, vm
from tests.support.system import DATA_VOLUMES, VMS, System, wait_until
from tests.unit.host.volumes.web import Answer, serving

pytestmark = pytest.mark.real

MIB = 1 << 20
ANSWERS = "<unattend xmlns='urn:schemas-microsoft-com:unattend'/>"
LONG = "#!/bin/sh\n" + "# a comment that KubeVirt would not take inline\n" * 60 + "echo $(wc -c < $0) > /tmp/long\n"


def many_kinds() -> tuple[list[Json], list[Json]]:
    fields: list[Json] = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
    ]
    ephemeral: JsonObject = {"persistentVolumeClaim": {"claimName": "base"}}
    custom: JsonObject = {"custom": {"logical": 4096, "physical": 8192, "discardGranularity": 65536}}
    disks: list[Json] = [
        disk("fresh", serial="FRESH"),
        disk("facts", serial="FACTS"),
        disk("answers", serial="ANSWERS"),
        disk("sealed", serial="SEALED"),
        disk("metrics", serial="METRICS"),
        disk("blocks", serial="BLOCKS", blockSize=custom, errorPolicy="report", io="threads", cache="writethrough"),
        disk("matching", serial="MATCHING", blockSize={"matchVolume": {"enabled": True}}, dedicatedIOThread=True),
        disk("fixed", serial="FIXED", disk={"bus": "virtio", "readonly": True}),
        disk("seed", "scsi"),
        {"name": "tray", "cdrom": {"bus": "scsi"}},
    ]
    volumes: list[Json] = [
        {"name": "fresh", "ephemeral": ephemeral},
        {"name": "facts", "downwardAPI": {"fields": fields, "volumeLabel": "FACTS"}},
        {"name": "answers", "sysprep": {"configMap": {"name": "answers"}}},
        {"name": "sealed", "sysprep": {"secret": {"name": "answers"}}},
        {"name": "metrics", "downwardMetrics": {}},
        {"name": "blocks", "emptyDisk": {"capacity": "8Mi"}},
        {"name": "matching", "emptyDisk": {"capacity": "8Mi"}},
        {"name": "fixed", "emptyDisk": {"capacity": "1Mi"}},
        {"name": "seed", "cloudInitNoCloud": {"userData": LONG}},
    ]
    return disks, volumes


def of_base(name: str) -> JsonObject:
    """A machine that waits, with a volume over the same claim."""
    volumes: list[Json] = [{"name": "base", "ephemeral": {"persistentVolumeClaim": {"claimName": "base"}}}]
    return vm(name, memory="32Mi", disks=[disk("base")], volumes=volumes, template={"startStrategy": "Paused"})


def mounted(serial: str, script: str) -> str:
    return f"mount -t iso9660 -o ro $(by_serial {serial}) /mnt && {script}; umount /mnt"


def check_made_disks(system: System) -> None:
    """What is made for each start: downwardAPI, sysprep, figures, cloud-init."""
    sh = lambda script: system.sh("kinds", BY_SERIAL + script)  # noqa: E731
    assert 'colour="blue"' in sh(mounted("FACTS", "cat /mnt/labels")).splitlines()
    assert sh(mounted("FACTS", "cat /mnt/name")) == "kinds"
    for serial in ("ANSWERS", "SEALED"):
        assert sh(mounted(serial, "cat /mnt/autounattend.xml")) == ANSWERS
        assert sh(f"dd if=$(by_serial {serial}) bs=1 skip=32808 count=10 2>/dev/null") == "unattendCD"
    assert sh("blockdev --getsize64 $(by_serial METRICS)") == str(metrics.SIZE)
    assert sh("head -c 4 $(by_serial METRICS)") == "mvbd"
    assert "<name>ResourceMemoryLimit</name>\n    <value>262144</value>" in sh("tr -d '\\0' < $(by_serial METRICS)")
    assert sh("cat /tmp/long") == str(len(LONG))


def check_properties(system: System) -> None:
    """What the manifest says of a disk, in the guest's own words."""
    sh = lambda script: system.sh("kinds", BY_SERIAL + script)  # noqa: E731

    def queue(serial: str, *names: str) -> list[str]:
        files = " ".join(f"/sys/block/${{d##*/}}/queue/{name}" for name in names)
        return sh(f"d=$(by_serial {serial}); cat {files}").split()

    sizes = ("logical_block_size", "physical_block_size", "discard_granularity", "write_cache")
    assert queue("BLOCKS", *sizes) == ["4096", "8192", "65536", "write", "through"]
    block = system.state.parent.stat().st_blksize
    assert queue("MATCHING", *sizes) == [str(block)] * 3 + ["write", "back"]
    assert queue("FRESH", *sizes[:2]) == ["512", "512"]
    locked = sh("for s in FIXED METRICS FRESH; do blockdev --getro $(by_serial $s); done")
    assert locked.split() == ["1", "1", "0"]
    assert sh("dd if=/dev/zero of=$(by_serial FIXED) count=1 2>/dev/null || echo refused") == "refused"
    drives = sh("for d in /sys/class/block/sr*; do cat $d/size; done").split()
    assert drives == ["0"] or sh("head -c 1 /dev/sr0 2>&1 || true").endswith("No medium found")


def test_kinds_of_disks(system: System) -> None:
    """ephemeral, downwardAPI, sysprep, downwardMetrics, block sizes, an empty drive, much cloud-init."""
    labels: JsonObject = {"colour": "blue"}
    disks, volumes = many_kinds()
    kinds = vm("kinds", disks=disks, volumes=volumes, domain={"firmware": tiny_kernel()})
    get_object(get_object(kinds, "spec"), "template")["metadata"] = {"labels": labels}
    with serving() as web:
        web.answers["/base"] = Answer(b"as it was".ljust(MIB, b"\0"))
        system.apply(
            config_map("answers", {"autounattend.xml": ANSWERS}),
            secret("answers", {"autounattend.xml": ANSWERS}),
            data_volume("base", {"http": {"url": f"{web.url}/base"}}, "4Mi"),
        )
        done = system.cli("apply", "-f", "-", stdin=json.dumps(kinds).encode())
        assert done.code == 0 and "cloudInitNoCloud userdata exceeds 2048 bytes" in done.err, done
        system.apply(of_base("another"))
        system.wait_agent("kinds")
    system.wait_printable("another", "Paused")
    system.wait_seed_script("kinds")
    check_made_disks(system)
    check_properties(system)
    sh = lambda script: system.sh("kinds", BY_SERIAL + script)  # noqa: E731
    assert sh("head -c 9 $(by_serial FRESH)") == "as it was"
    sh("printf 'something else' | dd of=$(by_serial FRESH) conv=fsync 2>/dev/null")
    assert sh("head -c 14 $(by_serial FRESH)") == "something else"
    check_base(system)
    overlay = system.state / "instances" / system.uid("kinds") / "fresh.qcow2"
    assert overlay.exists()
    system.ok("stop", "kinds", "--wait")
    wait_until(lambda: not overlay.exists(), 60, "what it wrote goes with the machine")
    system.delete(VMS, "another")
    check_base(system)
    system.delete(DATA_VOLUMES, "base")


def check_base(system: System) -> None:
    """The claim under the overlays is as it was."""
    file = system.state / "volumes" / "default" / "base" / "disk.qcow2"
    command = ["qemu-io", "-U", "-r", "-f", "qcow2", "-c", "read -v 0 16", str(file)]
    shown = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout.decode()
    assert "as.it.was......." in shown, shown


def on_host(name: str, path: Path, *, shareable: bool) -> JsonObject:
    """A machine that waits, with a disk that is a file of the host."""
    source: JsonObject = {"path": str(path), "type": "DiskOrCreate", "capacity": "1Mi"}
    volumes: list[Json] = [{"name": "common", "hostDisk": source}]
    disks: list[Json] = [disk("common", serial="COMMON", shareable=shareable)]
    return vm(name, memory="32Mi", disks=disks, volumes=volumes, template={"startStrategy": "Paused"})


def with_tight_disk(name: str, common: Path, tight: Path, policy: str) -> JsonObject:
    """One that boots, with a disk that others have too, and one whose file system has less room than it says."""
    made = on_host(name, common, shareable=True)
    tight.touch()
    os.truncate(tight, 32 * MIB)
    spec = get_object(get_object(get_object(made, "spec"), "template"), "spec")
    get_list(spec, "volumes").append({"name": "tight", "hostDisk": {"path": str(tight), "type": "Disk"}})
    devices = get_object(get_object(spec, "domain"), "devices")
    get_list(devices, "disks").append(disk("tight", serial="TIGHT", errorPolicy=policy))
    get_object(spec, "domain").update(firmware=tiny_kernel(), memory={"guest": "256Mi"})
    del spec["startStrategy"]
    return made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_two_machines_share_a_host_disk_and_run_out_of_space(system: System) -> None:
    """What one writes, the other reads while both run; a full file system stops one and is reported to the other."""
    path = system.state.parent / "common.img"
    with tmpfs("4m") as small:
        system.apply(
            with_tight_disk("left", path, small / "left.img", "report"),
            with_tight_disk("right", path, small / "right.img", "stop"),
        )
        for name in ("left", "right"):
            system.wait_agent(name)
        write = "printf 'from the left' | dd of=$(by_serial COMMON) oflag=direct conv=sync 2>/dev/null"
        system.sh("left", BY_SERIAL + write)
        read = BY_SERIAL + "dd if=$(by_serial COMMON) bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\\0'"
        assert system.sh("right", read) == "from the left"
        assert path.read_bytes().startswith(b"from the left")
        fill = BY_SERIAL + "dd if=/dev/urandom of=$(by_serial TIGHT) bs=64k count=160 conv=fsync 2>&1"
        said = system.guest("left", "sh", "-c", fill)
        assert said.code != 0 and "error" in said.out, said
        assert system.printable("left") == "Running"
        system.sh("right", f"({fill}) >/dev/null </dev/null &")
        system.wait_printable("right", "Paused")
        (small / "left.img").unlink()
        system.delete_all()
    path.unlink()


def test_a_host_disk_that_is_not_shareable_is_used_by_one(system: System) -> None:
    path = system.state.parent / "single.img"
    system.apply(on_host("first", path, shareable=False))
    system.wait_printable("first", "Paused")
    system.apply(on_host("second", path, shareable=False))
    said = f'disk "common" is in use: another machine or program holds the lock of {path}'
    wait_until(lambda: said in system.ok("get", "events"), 60, lambda: system.about("second"))
    assert system.printable("first") == "Paused"
    system.delete_all()
    path.unlink()


def test_two_kinds_of_disk_that_nobody_can_share(system: System) -> None:
    """A qcow2 image, or another cache than none, would be damaged: refused before anything starts."""
    volumes: list[Json] = [tiny_disk("common")]
    system.apply(claim("unused"), vm("packed", memory="32Mi", disks=[disk("common", shareable=True)], volumes=volumes))
    wait_until(
        lambda: "cannot be written by two machines at once" in system.ok("describe", "vmi", "packed"),
        60,
        lambda: system.about("packed"),
    )
    assert system.qemus() == {}
