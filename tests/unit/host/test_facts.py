import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host import facts, packages, qemu_probe
from solovirt.host.model.facts import HostFacts, HostNode, QemuFacts
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths


@pytest.fixture
def qemu(tmp_path: Path) -> Path:
    path = tmp_path / "qemu"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    calls: list[tuple[Path, str]] = []

    async def ask(binary: Path, accel: str) -> QemuFacts:
        calls.append((binary, accel))
        return QemuFacts(str(binary), (7, 2, len(calls)), devices=frozenset({"virtio-blk-pci"}))

    monkeypatch.setattr(qemu_probe, "ask", ask)
    return calls


def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", tmp_path / "runtime")


async def test_qemu_is_asked_once_and_again_when_it_is_replaced(
    tmp_path: Path, qemu: Path, asked: list[tuple[Path, str]]
) -> None:
    environ = {"SOLOVIRT_QEMU": str(qemu), "SOLOVIRT_ACCEL": "tcg"}
    first = await facts.probe(paths(tmp_path), environ=environ)
    again = await facts.probe(paths(tmp_path), environ=environ)
    qemu.write_text("#!/bin/sh\n# a newer one\n")
    newer = await facts.probe(paths(tmp_path), environ=environ)

    assert first == again
    assert (first.qemu.version, newer.qemu.version) == ((7, 2, 1), (7, 2, 2))
    assert asked == [(qemu, "tcg")] * 2


async def test_cpu_models_of_each_accelerator_are_kept_apart(
    tmp_path: Path, qemu: Path, asked: list[tuple[Path, str]]
) -> None:
    for accel in ("tcg", "kvm", "tcg"):
        environ = {"SOLOVIRT_QEMU": str(qemu), "SOLOVIRT_ACCEL": accel}
        found = await facts.probe(paths(tmp_path), environ=environ)
        assert (found.accel, found.accel_reason) == (accel, f"SOLOVIRT_ACCEL={accel}")

    assert [accel for _, accel in asked] == ["tcg", "kvm"]


async def test_the_host_is_measured(tmp_path: Path, qemu: Path, asked: list[tuple[Path, str]]) -> None:
    environ = {"SOLOVIRT_QEMU": str(qemu), "SOLOVIRT_ACCEL": "tcg"}
    found = await facts.probe(paths(tmp_path), environ=environ)

    assert found.cpus >= 1
    assert found.memory > 1 << 26
    assert found.node_name


def test_a_missing_qemu_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_ALWAYS_SEARCHED", ())
    monkeypatch.setattr(facts, "_ELSEWHERE", ())

    with pytest.raises(HostError) as caught:
        facts.find_qemu({"PATH": "/nonexistent"})

    assert (caught.value.reason, caught.value.hint) == ("MissingTool", "apt install qemu-system-x86")


def test_red_hat_s_place_is_looked_at(qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_ALWAYS_SEARCHED", ())
    monkeypatch.setattr(facts, "_ELSEWHERE", (Path("/nonexistent"), qemu))

    assert facts.find_qemu({"PATH": "/nonexistent"}) == qemu


@pytest.mark.parametrize("named", ["/nonexistent/qemu", "no-such-program-anywhere", "/tmp"])
def test_a_wrong_solovirt_qemu_is_an_error(named: str) -> None:
    with pytest.raises(HostError, match=re.escape(f'SOLOVIRT_QEMU is "{named}"')):
        facts.find_qemu({"SOLOVIRT_QEMU": named})


def test_solovirt_qemu_may_be_a_name(qemu: Path) -> None:
    assert facts.find_qemu({"SOLOVIRT_QEMU": "qemu", "PATH": str(qemu.parent)}) == qemu


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("Web-01.example.org", "web-01"),
        ("my_laptop", "my-laptop"),
        ("-x-", "x"),
        ("___", "localhost"),
        ("", "localhost"),
    ],
)
def test_node_names(hostname: str, expected: str) -> None:
    assert facts.node_name(hostname) == expected


@settings(max_examples=50)
@given(st.text(max_size=100))
def test_every_hostname_gives_a_dns_label(hostname: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", facts.node_name(hostname))


def test_recorded_facts_are_those_of_a_real_qemu() -> None:
    found = facts.load("qemu-7.2")

    assert found.qemu.version[:2] == (7, 2)
    assert {"virtio-blk-pci", "pcie-root-port", "virtio-net-pci"} <= found.qemu.devices
    assert {"rng-random", "memory-backend-memfd"} <= found.qemu.objects
    assert "sandbox" in found.qemu.options
    assert "user" in found.qemu.netdevs
    assert next(m.name for m in found.qemu.machines if m.alias == "q35") == "pc-q35-7.2"


def test_all_recorded_facts_load() -> None:
    found = {name: facts.load(name) for name in facts.recorded()}

    assert set(found) >= {"qemu-7.2", "qemu-10.0", "slides"}
    for name, host in found.items():
        q35 = [machine.name for machine in host.qemu.machines if machine.alias == "q35"]
        assert len(q35) == 1, name
        assert any("secure-boot" in firmware.features for firmware in host.firmware), name
        assert set(host.helpers) == {"qemu-pr-helper", "swtpm", "virtiofsd"}, name
        assert {"virtio-blk-pci", "e1000e", "tpm-tis", "i6300esb", "qemu-xhci"} <= host.qemu.devices, name
        assert host.labels[f"machine-type.node.kubevirt.io/{q35[0]}"] == "true", "labels follow from the rest"


def test_the_host_of_the_slides_is_rhel_on_an_icelake() -> None:
    host = facts.load("slides")

    assert (host.qemu.binary, host.accel) == ("/usr/libexec/qemu-kvm", "kvm")
    assert next(m.name for m in host.qemu.machines if m.alias == "q35") == "pc-q35-rhel9.2.0"
    assert host.host_model is not None
    assert host.host_model.name == "Icelake-Server"
    off = {name for name, on in host.host_model.features.items() if not on}
    assert (len(host.host_model.features), off) == (29, {"hle", "rtm", "mpx", "intel-pt"})
    assert host.firmware[0].code == "/usr/share/OVMF/OVMF_CODE.secboot.fd"
    assert host.labels["cpu-timer.node.kubevirt.io/tsc-frequency"] == "2394374000"


def test_qemu_10_is_newer_than_the_installed_one() -> None:
    new, old = facts.load("qemu-10.0").qemu, facts.load("qemu-7.2").qemu

    assert new.version[:2] == (10, 0)
    assert "igb" in new.devices - old.devices
    assert "pc-i440fx-2.3" in {m.name for m in old.machines} - {m.name for m in new.machines}


def test_what_is_dumped_can_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "host.json"
    host = HostFacts(QemuFacts("/q", (9, 0, 0), devices=frozenset({"a", "b"})), "kvm", "it ran", 4, 1 << 34, "n")
    file.write_text(facts.dump(host))

    assert facts.load(str(file)) == host


@pytest.mark.parametrize("content", ["", "{}", '{"qemu": 1, "accel": "tcg"}', "[]"])
def test_a_file_that_is_no_facts_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "host.json"
    file.write_text(content)

    with pytest.raises(HostError, match="does not hold facts"):
        facts.load(str(file))


def test_unknown_facts_name_the_known_ones() -> None:
    with pytest.raises(HostError) as caught:
        facts.load("qemu-1.0")

    assert "qemu-7.2" in caught.value.hint


def test_dumped_facts_are_read_back(tmp_path: Path) -> None:
    """Also those whose keys are numbers: page sizes."""
    known = facts.load("qemu-7.2")
    node = HostNode(0, (0, 1), memory=1 << 30, hugepages={2 << 20: 4, 1 << 30: 0})
    host = msgspec.structs.replace(known, nodes=(node,))
    file = tmp_path / "host.json"
    file.write_text(facts.dump(host))
    assert facts.load(str(file)) == host
