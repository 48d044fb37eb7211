from collections import namedtuple
from pathlib import Path

import msgspec
import pytest

from solovirt.host import doctor, facts, kvm, packages
from solovirt.host.model.facts import HostFacts
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", Path("/tmp/sv-doctor"))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> HostFacts:
    """A healthy host whose QEMU need not be there."""
    known = facts.load("qemu-7.2")

    async def probe(paths: Paths, *, environ: object) -> HostFacts:
        return known

    async def verdict(*arguments: object, **options: object) -> kvm.Verdict:
        return kvm.Verdict("kvm", "the KVM probe ran")

    async def firmware(binary: Path) -> doctor.Check:
        return doctor.Check("firmware", "OK", "SeaBIOS")

    monkeypatch.setattr(facts, "find_qemu", lambda environ: Path("/usr/bin/qemu-system-x86_64"))
    monkeypatch.setattr(facts, "probe", probe)
    monkeypatch.setattr(kvm, "verdict", verdict)
    monkeypatch.setattr(doctor, "_firmware", firmware)
    monkeypatch.setattr(packages, "find", lambda tool, environ: Path(f"/usr/bin/{tool}"))
    return known


async def found(paths: Paths) -> dict[str, doctor.Check]:
    return {check.name: check for check in await doctor.check(paths, {})}


async def test_a_healthy_host(paths: Paths, host: HostFacts) -> None:
    checks = await found(paths)

    assert {check.status for check in checks.values()} == {"OK"}
    assert checks["QEMU"].message.startswith("7.2.")
    assert "(will be made)" in checks["state directory"].message


async def test_no_qemu(paths: Paths, host: HostFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(environ: object) -> Path:
        raise HostError("qemu-system-x86_64 is not installed", hint="apt install qemu-system-x86")

    monkeypatch.setattr(facts, "find_qemu", missing)
    checks = await found(paths)

    assert checks["QEMU"].status == "FAIL"
    assert checks["QEMU"].hint == "apt install qemu-system-x86"
    assert checks["skopeo"].status == "OK"


async def test_an_old_qemu(paths: Paths, host: HostFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def old(paths: Paths, *, environ: object) -> HostFacts:
        raise HostError("/q is QEMU 6.2.0", reason="QEMUTooOld", hint="QEMU 7.2 or newer is needed")

    monkeypatch.setattr(facts, "probe", old)

    assert (await found(paths))["QEMU"] == doctor.Check(
        "QEMU", "FAIL", "/q is QEMU 6.2.0", "running guests", "QEMU 7.2 or newer is needed"
    )


@pytest.mark.parametrize(
    ("tool", "package"),
    [("qemu-img", "qemu-utils"), ("skopeo", "skopeo"), ("setfacl", "acl"), ("setpriv", "util-linux"), ("zstd", "zstd")],
)
async def test_a_missing_program_is_told_with_its_package(
    paths: Paths, host: HostFacts, monkeypatch: pytest.MonkeyPatch, tool: str, package: str
) -> None:
    monkeypatch.setattr(packages, "find", lambda name, environ: None if name == tool else Path("/usr/bin") / name)
    checks = await found(paths)

    assert checks[tool].status != "OK"
    assert checks[tool].hint == f"apt install {package}"
    assert checks[tool].needed_for
    assert [check.name for check in checks.values() if check.status != "OK"] == [tool]


def test_software_emulation_is_a_warning_with_its_reason() -> None:
    check = doctor.acceleration(kvm.Verdict("tcg", "/dev/kvm is missing", "load kvm_intel"))

    assert check.status == "WARN"
    assert "/dev/kvm is missing" in check.message
    assert check.hint == "load kvm_intel"


def test_a_qemu_without_slirp(host: HostFacts) -> None:
    without = msgspec.structs.replace(host, qemu=msgspec.structs.replace(host.qemu, netdevs=frozenset({"tap"})))

    assert doctor.user_network(host).status == "OK"
    assert doctor.user_network(without).status == "FAIL"


def test_firmware_is_looked_for_where_qemu_looks(tmp_path: Path) -> None:
    assert doctor.firmware([tmp_path]).hint == "apt install seabios"
    (tmp_path / "bios-256k.bin").write_bytes(b"")

    assert doctor.firmware([tmp_path / "none", tmp_path]).status == "OK"


async def test_a_runtime_path_too_long_for_sockets(host: HostFacts, tmp_path: Path) -> None:
    checks = await found(Paths(tmp_path / "state", tmp_path / ("x" * 80)))

    assert checks["socket paths"].status == "FAIL"
    assert "SOLOVIRT_RUNTIME_DIR" in checks["socket paths"].hint


async def test_a_state_directory_that_is_a_file(host: HostFacts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    checks = await found(Paths(tmp_path / "file", Path("/tmp/sv-doctor")))

    assert checks["state directory"].status == "FAIL"
    assert "is not a directory" in checks["state directory"].message


@pytest.mark.parametrize(("free", "status"), [(3 << 30, "OK"), (1 << 30, "WARN"), (1 << 20, "FAIL")])
def test_disk_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(1 << 40, 0, free))

    assert doctor._space(tmp_path / "not" / "there").status == status


async def test_what_only_the_debian_image_needs_is_told_as_such(
    paths: Paths, host: HostFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await found(paths))["Debian image builder"].status == "OK"

    lacking = {"mmdebstrap", "mmd", "mcopy"}
    monkeypatch.setattr(packages, "find", lambda tool, environ: None if tool in lacking else Path(f"/usr/bin/{tool}"))
    check = (await found(paths))["Debian image builder"]
    assert (check.status, check.needed_for) == ("WARN", "solovirt image build debian")
    assert check.hint == "apt install mmdebstrap mtools"
