"""DataVolumes with real parts: a registry, web servers, qemu-img; a guest reads what came; a daemon dies meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.images import files
from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import Json, JsonObject, get_object, get_str
from tests.real.e2e.test_disks import BY_SERIAL
from tests.real.e2e.test_images import backed_qcow2, with_data_file
from tests.support import system as systems
from tests.support import web
from tests.support.manifests import claim, data_volume, disk, tiny_kernel, vm
from tests.support.system import CLAIMS, DATA_VOLUMES, VMS, System, wait_until
from tests.unit.host.volumes.web import Answer, serving

pytestmark = pytest.mark.real

MIB = 1 << 20
TOKEN = "X-Token: open sesame"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[web.Registry]:
    with web.registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server whose certificate nobody vouches for."""
    place = tmp_path_factory.mktemp("tls")
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    request += ["-subj", "/CN=nobody", "-keyout", str(place / "key"), "-out", str(place / "certificate")]
    subprocess.run(request, check=True, capture_output=True, timeout=30)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(place / "certificate", place / "key")
    return made


def pvc(name: str, namespace: str = "default") -> JsonObject:
    return {"pvc": {"namespace": namespace, "name": name}}


def thick(volume: JsonObject) -> JsonObject:
    get_object(volume, "spec")["preallocation"] = True
    return volume


def without_size(volume: JsonObject) -> JsonObject:
    get_object(volume, "spec")["storage"] = {}
    return volume


def status_of(system: System, name: str) -> tuple[str, str]:
    """Phase, and the Running condition's message."""
    phase = get_str(get_object(system.find(DATA_VOLUMES, name) or {}, "status"), "phase")
    return phase, get_str(system.condition(DATA_VOLUMES, name, "Running"), "message")


def wait_filled(system: System, *names: str) -> None:
    for name in names:
        wait_until(lambda n=name: status_of(system, n)[0] == "Succeeded", 60, lambda n=name: system.about(n))  # type: ignore[misc]


def file_of(system: System, name: str) -> Path:
    return system.state / "volumes" / "default" / name / "disk.qcow2"


def info(path: Path) -> JsonObject:
    command = ["qemu-img", "info", "--output=json", "-U", "-f", "qcow2", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)
    assert isinstance(found, dict)
    return found


def content(path: Path, size: int, target: Path) -> bytes:
    """The first bytes of a claim, as its guest would see them."""
    command = [
        "qemu-img",
        "dd",
        "-U",
        "-f",
        "qcow2",
        "-O",
        "raw",
        f"if={path}",
        f"of={target}",
        f"bs={size}",
        "count=1",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return target.read_bytes()


def disks_of(*names: str) -> tuple[list[Json], list[Json]]:
    """One virtio disk for each DataVolume, whose serial is its name in capitals."""
    volumes: list[Json] = [{"name": name, "dataVolume": {"name": name}} for name in names]
    return [disk(name, serial=name.upper()) for name in names], volumes


def test_a_guest_reads_what_came_from_everywhere(
    system: System, registry: web.Registry, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """registry, clones (given and inherited size, thick), http with a header, https that is not verified."""
    reference = registry.push("disks/golden", {"/disk/golden.img": b"from a registry".ljust(MIB, b"\0")})
    system.apply(data_volume("golden", {"registry": {"url": f"docker://{reference}"}}, "8Mi"))
    wait_filled(system, "golden")
    with serving() as plain, serving(tls) as secure:
        plain.answers["/d"] = Answer(b"with a header".ljust(MIB, b"\0"))
        secure.answers["/d"] = Answer(gzip.compress(b"not verified".ljust(MIB, b"\0")))
        https: JsonObject = {"url": f"{secure.url}/d", "insecureSkipVerify": True}
        disks, volumes = disks_of("golden", "copied", "grown", "asked", "secured")
        system.apply(
            without_size(data_volume("copied", pvc("golden"))),
            thick(data_volume("grown", pvc("golden"), "16Mi")),
            data_volume("asked", {"http": {"url": f"{plain.url}/d", "extraHeaders": [TOKEN]}}, "4Mi"),
            data_volume("secured", {"http": https}, "4Mi"),
            data_volume("doubted", {"http": {"url": f"{secure.url}/d"}}, "4Mi"),
            vm("reader", disks=disks, volumes=volumes, domain={"firmware": tiny_kernel()}),
        )
        wait_filled(system, "copied", "grown", "asked", "secured")
        assert plain.headers[0]["x-token"] == "open sesame"
        wait_until(lambda: status_of(system, "doubted")[0] == "Failed", 60, lambda: system.about("doubted"))
        assert "certificate verify failed" in status_of(system, "doubted")[1]
        system.wait_agent("reader")
    sh = lambda script: system.sh("reader", BY_SERIAL + script)  # noqa: E731
    head = "for s in GOLDEN COPIED GROWN ASKED SECURED; do d=$(by_serial $s); head -c 20 $d | tr -d '\\0'; echo; done"
    assert sh(head).splitlines() == [*["from a registry"] * 3, "with a header", "not verified"]
    sizes = sh("for s in GOLDEN COPIED GROWN ASKED; do blockdev --getsize64 $(by_serial $s); done")
    assert [int(size) // MIB for size in sizes.split()] == [8, 8, 16, 4]
    grown = file_of(system, "grown").stat()
    assert grown.st_blocks * 512 >= 16 * MIB > file_of(system, "copied").stat().st_blocks * 512
    argv = Path(f"/proc/{system.qemu('reader')}/cmdline").read_text()
    assert '"aio":"native"' in argv.partition("grown-0-storage")[2].partition("}")[0], "its space is all there"
    # What a guest writes into its disk is never taken for an image of its own: the clone is as plain as the source.
    header = backed_qcow2("/etc/shadow")[:512]
    written = system.guest("reader", "sh", "-c", BY_SERIAL + "dd of=$(by_serial COPIED) conv=fsync", stdin=header)
    assert written.code == 0, written
    system.apply(data_volume("early", pvc("copied"), "8Mi"))
    wait_until(lambda: "in use" in status_of(system, "early")[1], 60, lambda: system.about("early"))
    system.delete(VMS, "reader")
    system.apply(data_volume("sober", pvc("copied"), "8Mi"))
    wait_filled(system, "sober")
    made = info(file_of(system, "sober"))
    assert (made["format"], made.get("backing-filename"), made["virtual-size"]) == ("qcow2", None, 8 * MIB)
    assert content(file_of(system, "sober"), 512, tmp_path / "out") == header


REFUSED: dict[str, tuple[JsonObject, str]] = {
    "upload": ({"upload": {}}, "uploads are not taken yet"),
    "s3": ({"s3": {"url": "https://s3.example/b/o"}}, "s3 sources are not fetched yet"),
    "gcs": ({"gcs": {"url": "gs://b/o"}}, "gcs sources are not fetched yet"),
    "snapshot": ({"snapshot": {"namespace": "default", "name": "s"}}, "there are no snapshots of claims yet"),
    "imageio": (
        {"imageio": {"url": "https://i.example", "diskId": "1", "secretRef": "s", "certConfigMap": "c"}},
        "disks of oVirt (imageio) are not imported",
    ),
    "vddk": (
        {"vddk": {"url": "https://v", "uuid": "u", "backingFile": "b", "thumbprint": "t", "secretRef": "s"}},
        "disks of VMware (vddk) are not imported",
    ),
    "login": ({"http": {"url": "http://h.example/d", "secretRef": "s"}}, "http sources with a secretRef"),
    "trust": ({"http": {"url": "http://h.example/d", "certConfigMap": "c"}}, "http sources with a secretRef"),
    "private": ({"registry": {"url": "docker://h.example/d", "secretRef": "s"}}, "registry sources with a secretRef"),
    "archive": ({"registry": {"url": "oci-archive://h.example/d"}}, "only docker:// URLs are fetched yet"),
}


def templated(name: str, source: JsonObject, *, reference: bool = False) -> JsonObject:
    """A VM with one DataVolume of its own, of its name."""
    made = data_volume(name, source)
    if reference:
        del get_object(made, "spec")["source"]
        get_object(made, "spec")["sourceRef"] = {"kind": "DataSource", "name": "debian", "namespace": "default"}
    template: JsonObject = {"metadata": {"name": name}, "spec": made["spec"]}
    disks, volumes = disks_of(name)
    return vm(name, memory="32Mi", disks=disks, volumes=volumes, spec={"dataVolumeTemplates": [template]})


def test_what_cannot_be_fetched_fails_with_one_sentence(system: System) -> None:
    """In the DataVolume's phase and condition, in the VM's status, as an event; and nothing of it is tried again."""
    expected = {name: said for name, (_, said) in REFUSED.items()} | {"elsewhere": "solovirt keeps no DataSources yet"}
    system.apply(
        *(templated(name, source) for name, (source, _) in REFUSED.items()),
        templated("elsewhere", {}, reference=True),
    )
    for name, said in expected.items():
        system.wait_printable(name, "DataVolumeError")
        phase, message = status_of(system, name)
        assert phase == "Failed" and said in message and "\n" not in message, (name, phase, message)
        waiting = system.condition(systems.VMIS, name, "Synchronized")
        assert said in get_str(waiting, "message") or system.find(systems.VMIS, name) is None, waiting
    events = [line for line in system.ok("get", "events").splitlines() if "Unable to process data" in line]
    for name, said in expected.items():
        assert sum(said in line and f"/{name} " in f"{line} " for line in events) == 1, (name, events)
    for name in expected:
        assert system.find(CLAIMS, name) is None
        assert get_object(system.find(DATA_VOLUMES, name) or {}, "status").get("restartCount", 0) == 0


def test_images_that_are_not_what_they_say(system: System, registry: web.Registry) -> None:
    """Over http and out of a registry, whatever the file's name says; nothing of them stays."""
    hostile = {
        "backed": (backed_qcow2("/etc/shadow"), "backing file"),
        "split": (with_data_file(), "external data file"),
        "foreign": (b"KDMV" + bytes(4092), "VMDK"),
        "hidden": (gzip.compress(backed_qcow2("/etc/shadow")), "backing file"),
        "bomb": (gzip.compress(bytes(400 * MIB), 1), "larger than"),
        "untrue": (backed_qcow2("", 1 << 40), "size does not match its tables"),
        "large": (bytes(65 * MIB), "A larger PVC is required"),
    }
    with web.files({f"/{name}.img": data for name, (data, _) in hostile.items()}) as server:
        for name, (data, _) in hostile.items():
            system.apply(data_volume(f"{name}-web", {"http": {"url": server.url(f"/{name}.img")}}))
            if name in ("hidden", "bomb"):
                continue
            reference = registry.push(f"hostile/{name}", {f"/disk/{name}.img": data})
            system.apply(data_volume(f"{name}-registry", {"registry": {"url": f"docker://{reference}"}}))
        for name, (_, said) in hostile.items():
            for way in ("web", "registry"):
                volume = f"{name}-{way}"
                if system.find(DATA_VOLUMES, volume) is None:
                    continue
                wait_until(lambda v=volume: status_of(system, v)[0] == "Failed", 60, lambda v=volume: system.about(v))  # type: ignore[misc]
                assert said in status_of(system, volume)[1], (volume, status_of(system, volume))
                assert not file_of(system, volume).exists()
    left = [path for path in (system.state / "volumes").rglob("*") if not path.is_dir()]
    assert left == []


def patterned(size: int) -> bytes:
    """Not empty, so that it takes its time, and not so random that packing it does."""
    return os.urandom(64 << 10) * (size // (64 << 10))


def kill_while_filling(system: System, name: str) -> None:
    """kill -9 in the middle: what was written so far lies there, the claim has no disk, and the copier dies too."""
    partial = file_of(system, name).with_name(f"converted{files.PARTIAL}")
    deadline = time.monotonic() + 30
    while not partial.exists():
        assert time.monotonic() < deadline, system.about(name)
    system.kill()
    assert partial.exists() and not file_of(system, name).exists(), "it was in the middle"
    wait_until(lambda: not system.processes(), 60, lambda: f"helpers gone: {system.processes()}")


def test_a_daemon_that_dies_in_the_middle_begins_anew(tiny: TinyImage, registry: web.Registry, tmp_path: Path) -> None:
    """Of an import from a registry, then of a clone of it."""
    data = patterned(96 * MIB)
    reference = registry.push("disks/large", {"/disk/large.img": data})
    with systems.running() as system:
        system.ok("image", "pull", reference)
        system.apply(data_volume("large", {"registry": {"url": f"docker://{reference}"}}, "96Mi"))
        kill_while_filling(system, "large")
        system.start()
        wait_filled(system, "large")
        system.apply(data_volume("twin", pvc("large"), "128Mi"))
        kill_while_filling(system, "twin")
        system.start()
        wait_filled(system, "twin")
        for name in ("large", "twin"):
            assert sorted(os.listdir(file_of(system, name).parent)) == ["disk.qcow2"]
            assert content(file_of(system, name), MIB, tmp_path / "out") == data[:MIB]
        assert info(file_of(system, "twin"))["virtual-size"] == 128 * MIB
        system.check_clean()
        system.ok("image", "rm", reference)


def test_a_clone_waits_for_its_source(system: System) -> None:
    """Which is neither an error of the VM's nor a reason to give up."""
    system.apply(without_size(data_volume("later", pvc("missing"))))
    wait_until(lambda: "ErrClaimNotValid" in system.ok("describe", "dv", "later"), 60, lambda: system.about("later"))
    assert status_of(system, "later")[0] == "Pending"
    system.apply(claim("missing", "4Mi"))
    wait_filled(system, "later")
    assert info(file_of(system, "later"))["virtual-size"] == 4 * MIB
