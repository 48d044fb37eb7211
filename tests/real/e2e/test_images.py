"""Images that come through manifests: from a registry, imported, missing, hostile."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support import web
from tests.support.manifests import disk, vm
from tests.support.system import IMAGES, System, wait_until

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[web.Registry]:
    with web.registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


def of_image(name: str, reference: str, *, policy: str = "", path: str = "", paused: bool = True) -> JsonObject:
    source: JsonObject = {"image": reference}
    if policy:
        source["imagePullPolicy"] = policy
    if path:
        source["path"] = path
    volumes: list[Json] = [{"name": "root", "containerDisk": source}]
    template: JsonObject = {"startStrategy": "Paused"} if paused else {}
    memory = "64Mi" if paused else "256Mi"
    return vm(name, memory=memory, disks=[disk("root")], volumes=volumes, template=template)


def test_guest_from_a_registry(system: System, registry: web.Registry, tiny: TinyImage) -> None:
    """A containerDisk is pulled while the VM starts; the next VM of it needs no registry."""
    reference = registry.push("guests/tiny", {"/disk/guest.qcow2": tiny.disk.read_bytes() + bytes(65536)})
    system.apply(of_image("pulled", reference, paused=False), of_image("twin", reference))
    system.wait_agent("pulled", 120)
    assert system.sh("pulled", "uname -s") == "Linux"
    system.wait_printable("twin", "Paused")
    assert reference in system.ok("image", "ls")
    events = system.ok("get", "events")
    assert "Pulled" in events and reference in events, events
    done = system.cli("image", "rm", reference)
    assert done.code == 1 and "in use by default/" in done.err, done
    system.delete_all()
    system.ok("image", "rm", reference)
    assert reference not in system.ok("image", "ls")


def test_missing_image_backs_off_and_recovers(system: System, registry: web.Registry) -> None:
    reference = f"{registry.host}/guests/late:1"
    system.apply(of_image("late", reference))
    system.wait_printable("late", "ErrImagePull")
    wait_until(lambda: system.printable("late") == "ImagePullBackOff", 60, lambda: system.about("late"))
    described = system.ok("describe", "vmi", "late")
    assert reference in described and "manifest unknown" in described, described
    registry.push("guests/late", {"/disk/disk.img": bytes(1 << 20)})
    system.wait_printable("late", "Paused", 60)


def test_policy_never(system: System, registry: web.Registry) -> None:
    reference = registry.push("guests/present", {"/disk/disk.img": bytes(1 << 20)})
    system.apply(of_image("never", reference, policy="Never"))
    wait_until(
        lambda: "pull policy of Never" in system.ok("describe", "vmi", "never"), 60, lambda: system.about("never")
    )
    system.ok("image", "pull", reference)
    system.wait_printable("never", "Paused", 60)


def backed_qcow2(file: str, size: int = 1 << 20) -> bytes:
    """A qcow2 header (version 2) that names a backing file. QEMU docs/interop/qcow2.rst."""
    name = file.encode()
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 72, len(name), 16, size, 0, 1, 0x30000, 0x10000, 1, 0, 0)
    return (header + name).ljust(0x40000, b"\0")


def with_data_file() -> bytes:
    """A qcow2 (version 3) whose data is elsewhere: incompatible feature bit 2. QEMU docs/interop/qcow2.rst."""
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, 1 << 20, 0, 1, 0x30000, 0x10000, 1, 0, 0)
    return (header + struct.pack(">QQQII", 4, 0, 0, 4, 104)).ljust(0x40000, b"\0")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (backed_qcow2("/etc/shadow"), "backing file"),
        (with_data_file(), "external data file"),
        (b'json:{"driver": "file"}'.ljust(4096, b"\0"), ""),
        (b"KDMV" + bytes(4092), "vmdk"),
    ],
    ids=["backing-file", "data-file", "json-text", "vmdk"],
)
def test_hostile_disks_are_refused(system: System, registry: web.Registry, content: bytes, said: str) -> None:
    """Text that looks like QEMU's own file names is plain raw data; what points elsewhere is refused by name."""
    name = f"hostile-{len(content)}-{said.replace(' ', '-') or 'raw'}"
    reference = registry.push(f"guests/{name}", {"/disk/disk.img": content})
    system.apply(of_image("hostile", reference))
    if not said:
        system.wait_printable("hostile", "Paused")
        return
    wait_until(lambda: said in system.ok("describe", "vmi", "hostile").lower(), 60, lambda: system.about("hostile"))
    assert system.qemus() == {}


def test_hostile_files_are_not_imported(system: System, tmp_path: Path) -> None:
    hostile = tmp_path / "disk.qcow2"
    hostile.write_bytes(backed_qcow2("/etc/passwd"))
    done = system.cli("image", "import", "my/hostile:1", str(hostile))
    assert done.code == 1 and "backing file" in done.err and str(hostile) in done.err, done
    secret = tmp_path / "link"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    secret.symlink_to("/nowhere")
    for path in (secret, tmp_path):
        done = system.cli("image", "import", "my/odd:1", str(path), timeout=60)
        assert done.code == 1 and str(path) in done.err, done
    done = system.cli("image", "import", "my/odd:1", str(fifo), timeout=60)
    assert done.code == 1 and str(fifo) in done.err, done


def test_imported_image_works_offline(system: System, tmp_path: Path) -> None:
    raw = tmp_path / "my.img"
    raw.write_bytes(b"\x55" * (1 << 20))
    system.ok("image", "import", "quay.io/somewhere/disk:42", str(raw))
    system.apply(of_image("offline", "quay.io/somewhere/disk:42", policy="Always"))
    system.wait_printable("offline", "Paused")
    system.apply(of_image("path", "quay.io/somewhere/disk:42", path="/disk/other.img"))
    wait_until(lambda: "/disk/other.img" in system.ok("describe", "vmi", "path"), 60, lambda: system.about("path"))
    system.delete_all()
    system.ok("image", "rm", "quay.io/somewhere/disk:42")


def test_concurrent_pulls_of_one_image_are_one(system: System, registry: web.Registry) -> None:
    reference = registry.push("guests/busy", {"/disk/disk.img": os.urandom(8 << 20)})
    answers: list[JsonObject] = []

    def pull() -> None:
        lines = list(system.client.stream("POST", IMAGES, None, {"action": "pull", "reference": reference}))
        answers.append(lines[-1])

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 4 and len({str(answer.get("digest")) for answer in answers}) == 1, answers
    assert answers[0].get("digest"), answers
    system.ok("image", "rm", reference)
