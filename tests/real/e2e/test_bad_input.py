"""Input that is wrong, hostile or merely large: one clear message that names the place, and a daemon that goes on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from solovirt.kit import yaml
from solovirt.kit.jsontypes import Json, JsonObject, get_object
from tests.support import system as systems
from tests.support.manifests import claim, data_volume, disk, small, tiny_disk, vm
from tests.support.system import VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real


def changed(path: str, value: Json) -> str:
    """A good manifest but for one field: ``spec.template.spec.volumes.0.name``."""
    manifest = vm(
        "bad",
        disks=[disk("root")],
        volumes=[tiny_disk()],
        devices={"interfaces": [{"name": "default", "masquerade": {}}]},
        template={"networks": [{"name": "default", "pod": {}}]},
    )
    *parents, last = path.split(".")
    place: Json = manifest
    for key in parents:
        if isinstance(place, list):
            place = place[int(key)]
        elif isinstance(place, dict):
            place = place.setdefault(key, {})
    if isinstance(place, list):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    return yaml.dump(manifest)


DOMAIN = "spec.template.spec.domain"
VOLUME = "spec.template.spec.volumes.0"
DISK = f"{DOMAIN}.devices.disks.0"
NIC = f"{DOMAIN}.devices.interfaces.0"


class Case(NamedTuple):
    """``said``: every one of these must be in the message."""

    name: str
    text: str
    said: tuple[str, ...]


YAML = [
    Case("not-yaml", "apiVersion: v1\nkind: [unclosed\nmetadata: {}\n", ("<stdin>:3:9", "flow sequence")),
    Case("tab", "apiVersion: v1\n\tkind: Secret\n", ("<stdin>:2:",)),
    Case("twice", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  name: b\n", ("<stdin>:5:3", "name")),
    Case("deep", "a: " + "[" * 5000 + "]" * 5000, ("<stdin>:1:", "deep")),
    Case("deep-block", "".join(f"{'  ' * n}k:\n" for n in range(1000)), ("<stdin>:", "deep")),
    Case("huge", "apiVersion: v1\nkind: Secret\nx: " + "y" * (9 << 20), ("<stdin>", "larger than")),
    Case("bomb", "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    ), ("<stdin>:",)),
    Case("empty", "# nothing\n", ("no objects",)),
    Case("list", "- a\n- b\n", ("<stdin>", "mapping")),
    Case("binary", "\x00\x01\x02", ("<stdin>",)),
    Case("no-kind", "apiVersion: v1\nmetadata: {name: a}\n", ("<stdin>", "kind")),
    Case("other-kind", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", ("Deployment", "apps/v1")),
    Case("two-errors", "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: a}\nspec:\n  runStrateg: x\n"
         "  template:\n    spec:\n      domain: {}\n      volume: []\n", (
        '<stdin>:5:3: unknown field "spec.runStrateg"', 'did you mean "spec.runStrategy"',
        '<stdin>:9:7: unknown field "spec.template.spec.volume"', 'did you mean "spec.template.spec.volumes"')),
]  # fmt: skip

FIELDS = [
    Case("unsupported", changed(f"{DOMAIN}.devices.watchdog", {"name": "w", "diag288": {"action": "reset"}}),
         (f"{DOMAIN}.devices.watchdog", "amd64 only supports I6300ESB")),
    Case("not-from-users", changed("spec.template.spec.utilityVolumes", [{"name": "u", "claimName": "c"}]),
         ("spec.template.spec.utilityVolumes",)),
    Case("type", changed(f"{DOMAIN}.cpu", {"cores": "two"}), (f"{DOMAIN}.cpu.cores", "<stdin>:")),
    Case("quantity", changed(f"{DOMAIN}.memory", {"guest": "2 GB"}), (f"{DOMAIN}.memory.guest", "2 GB")),
    Case("negative", changed(f"{DOMAIN}.memory", {"guest": "-1Gi"}), (f"{DOMAIN}.memory.guest",)),
    Case("endless", changed(f"{DOMAIN}.memory", {"guest": "999999Ei"}), (f"{DOMAIN}.memory.guest",)),
    Case("name", changed("metadata.name", "Not_A_Name"), ("metadata.name", "Not_A_Name")),
    Case("long-name", changed("metadata.name", "a" * 300), ("metadata.name",)),
    Case("volume-name", changed(f"{VOLUME}.name", "../../etc"), ("spec.template.spec.volumes[0].name",)),
    Case("image", changed(f"{VOLUME}.containerDisk.image", "--help"), ("volumes[0].containerDisk.image", "--help")),
    Case("image-line", changed(f"{VOLUME}.containerDisk.image", "a\nb"), ("volumes[0].containerDisk.image",)),
    Case("path-up", changed(f"{VOLUME}.containerDisk.path", "/disk/../../etc/shadow"), ("volumes[0].containerDisk",)),
    Case("path-relative", changed(f"{VOLUME}.containerDisk.path", "disk.img"), ("volumes[0].containerDisk",)),
    Case("serial-comma", changed(f"{DISK}.serial", "a,readonly=on"), ("disks[0].serial",)),
    Case("serial-quote", changed(f"{DISK}.serial", 'a"b'), ("disks[0].serial",)),
    Case("model-comma", changed(f"{DOMAIN}.cpu", {"model": "qemu64,+svm"}), (f"{DOMAIN}.cpu.model",)),
    Case("feature", changed(f"{DOMAIN}.cpu", {"features": [{"name": "vmx,enforce"}]}), ("cpu.features[0].name",)),
    Case("hostname", changed("spec.template.spec.hostname", "a,b\nc"), ("spec.template.spec.hostname",)),
    Case("machine", changed(f"{DOMAIN}.machine", {"type": "q35,accel=kvm"}), (f"{DOMAIN}.machine.type",)),
    Case("mac", changed(f"{NIC}.macAddress", "de:ad:00:00:be:af,x=y"), ("interfaces[0].macAddress",)),
    Case("mac-multicast", changed(f"{NIC}.macAddress", "01:00:00:00:00:01"), ("interfaces[0].macAddress",)),
    Case("nic-model", changed(f"{NIC}.model", "virtio,netdev=x"), ("interfaces[0].model",)),
    Case("uuid", changed(f"{DOMAIN}.firmware", {"uuid": "abc"}), (f"{DOMAIN}.firmware.uuid",)),
    Case("firmware-serial", changed(f"{DOMAIN}.firmware", {"serial": "a,b"}), (f"{DOMAIN}.firmware.serial",)),
    Case("kernel-args", changed(f"{DOMAIN}.firmware", {"kernelBoot": {"kernelArgs": "a\nb", "container": {
        "image": "solovirt/tiny", "kernelPath": "/boot/vmlinuz"}}}), ("kernelBoot.kernelArgs",)),
    Case("kernel-path", changed(f"{DOMAIN}.firmware", {"kernelBoot": {"container": {
        "image": "solovirt/tiny", "kernelPath": "/boot/../x"}}}), ("kernelBoot.container.kernelPath",)),
    Case("pci", changed(f"{NIC}.pciAddress", "0000:00:1,x"), ("interfaces[0].pciAddress",)),
    Case("bus", changed(f"{DISK}.disk", {"bus": "ide"}), ("disks[0].disk.bus", "IDE bus is not supported")),
    Case("cache", changed(f"{DISK}.cache", "none,x"), ("disks[0].cache",)),
    Case("host-disk", changed(VOLUME, {"name": "root", "hostDisk": {"path": "../x", "type": "Disk"}}),
         ("volumes[0].hostDisk.path",)),
    Case("no-volume", changed(f"{DISK}.name", "other"), ("other", "disks[0]")),
    Case("strategy", changed("spec.runStrategy", "Sometimes"), ("spec.runStrategy", "Sometimes")),
    Case("user-data", changed(VOLUME, {"name": "root", "cloudInitNoCloud": {"userDataBase64": "%%%"}}),
         ("volumes[0].cloudInitNoCloud",)),
    Case("claim-size", yaml.dump(claim("c", "much")), ("spec.resources.requests", "much")),
    Case("url", yaml.dump(data_volume("d", {"http": {"url": "file:///etc/shadow"}})), ("spec.source.http.url",)),
    Case("two-sources", yaml.dump(data_volume("d", {"http": {"url": "http://x/"}, "blank": {}})), ("spec.source",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def refusing(shared: System) -> System:
    """The daemon that all of the table's cases go to."""
    return shared


@pytest.mark.parametrize("case", YAML + FIELDS, ids=lambda case: case.name)
def test_refused(refusing: System, case: Case) -> None:
    done = refusing.cli("apply", "-f", "-", stdin=case.text.encode(), timeout=60)
    if done.code == 0:
        refusing.delete_all()
    assert done.code == 1, done
    missing = [words for words in case.said if words not in done.err]
    assert not missing, f"{missing} not in: {done.err}"
    assert "Traceback" not in done.err
    assert len(done.err) < 4000, "a message, not a copy of the input"
    assert not [c for c in done.err if not c.isprintable() and c != "\n"], "nothing that drives a terminal"
    assert done.out == ""
    assert refusing.items(VMS) == [] and refusing.items(VMIS) == []


def test_daemon_is_healthy_after_all_of_it(system: System) -> None:
    system.apply(small("fine"))
    system.wait_printable("fine", "Paused")


def test_all_errors_of_a_manifest_at_once(system: System) -> None:
    manifest = vm("bad", disks=[disk("root", "ide", serial="a,b")], volumes=[{**tiny_disk(), "name": "Root!"}])
    get_object(manifest, "metadata")["name"] = "Bad_Name"
    done = system.cli("apply", "-f", "-", stdin=yaml.dump(manifest).encode())
    for words in ("metadata.name", "disks[0].disk.bus", "disks[0].serial", "volumes[0].name"):
        assert words in done.err, done.err
    assert "<stdin>:" in done.err, "with the places in the file"


def test_warned_and_ignored_fields(system: System) -> None:
    text = changed("spec.template.spec.colour", "green").replace("runStrategy: Always", "runStrategy: Halted")
    done = system.cli("apply", "--validate=warn", "-f", "-", stdin=text.encode())
    assert done.code == 0 and 'unknown field "spec.template.spec.colour"' in done.err, done
    assert "colour" not in str(get_object(system.find(VMS, "bad") or {}, "spec"))


def test_strings_with_every_character_reach_the_guest_unharmed(system: System) -> None:
    """What KubeVirt allows in free text must not become an option of QEMU."""
    arguments = "a=1,file=/etc/shadow b='x y' c=\"z\" d=%s e=$HOME,,f"
    container: JsonObject = {"image": "solovirt/tiny", "kernelPath": "/boot/vmlinuz", "initrdPath": "/boot/initrd"}
    boot: JsonObject = {"kernelBoot": {"kernelArgs": arguments, "container": container}}
    system.apply(vm("strings", memory="64Mi", domain={"firmware": boot}, template={"startStrategy": "Paused"}))
    system.wait_printable("strings", "Paused")
    words = Path(f"/proc/{system.qemu('strings')}/cmdline").read_text().split("\0")
    assert words[words.index("-append") + 1] == arguments


def test_a_cpu_that_this_qemu_does_not_know(system: System) -> None:
    """Only the host knows: accepted, as on a cluster, and then explained by field."""
    system.apply(vm("odd", memory="32Mi", domain={"cpu": {"model": "NoSuchCpu"}}))
    wait_until(lambda: "no CPU model" in system.ok("describe", "vmi", "odd"), 60, lambda: system.about("odd"))
    assert "domain.cpu.model: this QEMU has no CPU model" in system.ok("describe", "vm", "odd")


def test_unreadable_files(system: System, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path / "missing" / "x.yaml"):
        done = system.cli("apply", "-f", str(path))
        assert done.code == 1 and str(path) in done.err and "No such file" in done.err, done
    (tmp_path / "folder").mkdir()
    done = system.cli("apply", "-f", str(tmp_path / "folder"))
    assert done.code == 1 and str(tmp_path / "folder") in done.err, done
    done = system.cli("image", "import", "my/disk:1", str(tmp_path / "missing.img"))
    assert done.code == 1 and "missing.img" in done.err, done


def test_names_that_do_not_exist(system: System) -> None:
    for words in (
        ("get", "vm", "nobody"),
        ("start", "nobody"),
        ("stop", "nobody"),
        ("console", "nobody"),
        ("exec", "nobody", "--", "true"),
        ("logs", "nobody"),
        ("explain", "vm", "nobody"),
        ("describe", "vm", "nobody"),
        ("delete", "vm", "nobody"),
        ("edit", "vm", "nobody"),
        ("wait", "vm", "nobody", "--for=condition=Ready"),
    ):
        done = system.cli(*words, timeout=60)
        assert done.code == 1 and "nobody" in done.err and "not found" in done.err, (words, done)
    done = system.cli("get", "virtualmachin")
    assert done.code == 1 and "virtualmachine" in done.err, done
    assert system.cli("strat", "x").code == 2


def test_missing_qemu() -> None:
    """No daemon without a QEMU: the command that wanted to start one says what is missing, and doctor does too."""
    place = systems.folder()
    system = systems.local(place, SOLOVIRT_QEMU="/nonexistent/qemu")
    try:
        done = system.cli("get", "vm", timeout=60)
        assert done.code == 1, done
        assert "SOLOVIRT_QEMU" in done.err and "/nonexistent/qemu" in done.err, done
        assert "Traceback" not in done.err + system.daemon_log()
        done = system.cli("doctor")
        assert "SOLOVIRT_QEMU" in done.out and "FAIL" in done.out, done
    finally:
        system.end()
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a program from one process")
def test_missing_programs_are_named_with_their_packages() -> None:
    with systems.running(hidden=("/usr/bin/skopeo", "/usr/bin/qemu-img")) as system:
        done = system.cli("image", "pull", "quay.io/containerdisks/fedora:40")
        assert done.code == 1 and "skopeo" in done.err and "apt install skopeo" in done.err, done
        system.apply(small("fine"))
        system.wait_printable("fine", "Paused")
        empty: Json = {"name": "scratch", "emptyDisk": {"capacity": "1Mi"}}
        system.apply(vm("lacking", memory="32Mi", disks=[disk("scratch")], volumes=[empty]))
        wait_until(
            lambda: "apt install qemu-utils" in system.ok("describe", "vmi", "lacking"),
            60,
            lambda: system.about("lacking"),
        )
        system.check_clean()
