import json
from pathlib import Path

import pytest

from solovirt.host import firmware_probe
from solovirt.kit.json import JsonObject


def flash(code: Path | str, template: Path | str, **changes: object) -> JsonObject:
    made: dict[str, object] = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(code), "format": "raw"},
            "nvram-template": {"filename": str(template), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
        "features": ["secure-boot"],
        "tags": [],
    }
    made.update(changes)
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    code, template = tmp_path / "code.fd", tmp_path / "vars.fd"
    code.write_bytes(b"c")
    template.write_bytes(b"v")
    return code, template


def write(folder: Path, name: str, descriptor: JsonObject | str) -> None:
    folder.mkdir(exist_ok=True)
    text = descriptor if isinstance(descriptor, str) else json.dumps(descriptor)
    (folder / name).write_text(text)


def test_order_and_priority(tmp_path: Path, files: tuple[Path, Path]) -> None:
    high, low = tmp_path / "etc", tmp_path / "usr"
    write(low, "60-last.json", flash(*files, features=["c"]))
    write(low, "50-hidden.json", flash(*files, features=["no"]))
    write(low, "40-masked.json", flash(*files, features=["no"]))
    write(high, "50-hidden.json", flash(*files, features=["b"]))
    write(high, "40-masked.json", "")
    write(high, "30-first.json", flash(*files, features=["a"]))
    write(high, "README", "no descriptor")
    found = firmware_probe.probe([high, low, tmp_path / "missing"])
    assert [sorted(firmware.features) for firmware in found] == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"interface-types": 3}', "\x00", '{"mapping": []}'])
def test_damaged_descriptors_are_left_out(tmp_path: Path, files: tuple[Path, Path], text: str) -> None:
    folder = tmp_path / "d"
    write(folder, "1.json", text)
    write(folder, "2.json", flash(*files))
    assert len(firmware_probe.probe([folder])) == 1


def test_missing_files_and_huge_descriptors(tmp_path: Path, files: tuple[Path, Path]) -> None:
    folder = tmp_path / "d"
    write(folder, "1.json", flash(files[0], tmp_path / "none.fd"))
    write(folder, "2.json", " " * 70_000)
    assert firmware_probe.probe([folder]) == ()


def test_a_rom() -> None:
    described = firmware_probe.describe(
        flash("", "", mapping={"device": "memory", "filename": "/x/snp.fd"}, features=["amd-sev-snp"])
    )
    assert described is not None
    assert (described.code, described.rom, described.variables) == ("/x/snp.fd", True, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"interface-types": ["bios"]},
        {"targets": [{"architecture": "aarch64", "machines": ["virt-*"]}]},
        {"mapping": {"device": "kernel", "filename": "/x"}},
        {"mapping": {"device": "flash", "mode": "stateless", "executable": {"filename": "/x", "format": "raw"}}},
        {"mapping": {"device": "memory"}},
        {
            "mapping": {
                "device": "flash",
                "executable": {"filename": "/x", "format": "vmdk"},
                "nvram-template": {"filename": "/y", "format": "raw"},
            }
        },
    ],
)
def test_what_cannot_be_used(changes: dict[str, object]) -> None:
    assert firmware_probe.describe(flash("/x", "/y", **changes)) is None


def test_a_users_own_descriptors_come_first_but_not_roots() -> None:
    assert firmware_probe.directories({"HOME": "/home/u"}, 1000)[0] == Path("/home/u/.config/qemu/firmware")
    assert firmware_probe.directories({"XDG_CONFIG_HOME": "/c"}, 1000)[0] == Path("/c/qemu/firmware")
    assert firmware_probe.directories({"HOME": "/root"}, 0) == list(firmware_probe.SYSTEM)
    assert firmware_probe.directories({}, 1000) == list(firmware_probe.SYSTEM)
