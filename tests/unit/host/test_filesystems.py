from collections.abc import Mapping
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.host import access, filesystems
from solovirt.host.kept import Places
from solovirt.host.model.bindings import FilesystemBinding
from solovirt.host.volumes.claims import Claims
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.json import convert

FILES = {"colour": b"blue", "deep/er/file": b"x"}


def spec(*sources: dict[str, object]) -> VirtualMachineInstanceSpec:
    names = [f"v{index}" for index in range(len(sources))]
    shared = [{"name": name, "virtiofs": {}} for name in names]
    volumes = [{"name": name, **source} for name, source in zip(names, sources, strict=True)]
    return convert({"domain": {"devices": {"filesystems": shared}}, "volumes": volumes}, VirtualMachineInstanceSpec)


def prepared(
    root: Path, given: VirtualMachineInstanceSpec, files: Mapping[str, bytes] = FILES
) -> dict[str, FilesystemBinding]:
    def content(volume: Volume, field: str) -> Mapping[str, bytes]:
        assert field.startswith("spec.volumes[")
        return files

    places, claims = Places(root / "i", root / "v"), Claims(root / "volumes")
    found = filesystems.prepare(given, "default", claims, places, root / "run", content)
    assert found == filesystems.plan(given, "default", claims, places, root / "run")
    return found


def test_files_of_a_config_map(tmp_path: Path) -> None:
    found = prepared(tmp_path, spec({"configMap": {"name": "c"}}))["v0"]
    directory = Path(found.directory)
    assert found.read_only and found.socket == str(tmp_path / "run/fs0.sock")
    assert (directory / "colour").read_bytes() == b"blue" and (directory / "deep/er/file").read_bytes() == b"x"
    assert (directory / "colour").stat().st_mode & 0o777 == 0o444
    assert directory.parent.stat().st_mode & 0o777 == 0o700
    owner = access.SHARES if access.is_root() else (directory / "colour").stat().st_uid
    assert {path.stat().st_uid for path in (directory, *directory.rglob("*"))} == {owner}


def test_what_an_earlier_attempt_left_goes(tmp_path: Path) -> None:
    prepared(tmp_path, spec({"secret": {"secretName": "s"}}), {"old": b"1"})
    found = prepared(tmp_path, spec({"secret": {"secretName": "s"}}), {"new": b"2"})["v0"]
    assert [path.name for path in Path(found.directory).iterdir()] == ["new"]


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a//b", "", "a/../../b", "."])
def test_no_file_outside_of_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="no name of a file"):
        prepared(tmp_path, spec({"configMap": {"name": "c"}}), {name: b"x"})
    assert not (tmp_path / "i/shared/out").exists()


def test_a_claim_keeps_what_guests_wrote(tmp_path: Path) -> None:
    given = spec({"persistentVolumeClaim": {"claimName": "c"}}, {"dataVolume": {"name": "d"}})
    first = prepared(tmp_path, given)
    assert [first["v0"].directory, first["v1"].directory] == [
        str(tmp_path / f"volumes/default/{name}/shared/files") for name in ("c", "d")
    ]
    assert not first["v0"].read_only
    (Path(first["v0"].directory) / "file").write_bytes(b"kept")
    prepared(tmp_path, given)
    assert (Path(first["v0"].directory) / "file").read_bytes() == b"kept"


def test_a_read_only_claim(tmp_path: Path) -> None:
    given = spec({"persistentVolumeClaim": {"claimName": "c", "readOnly": True}})
    assert prepared(tmp_path, given)["v0"].read_only


def test_what_cannot_be_shared(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no pods here"):
        prepared(tmp_path, spec({"containerPath": {"path": "/x"}}))
    with pytest.raises(Invalid, match="cannot be shared"):
        prepared(tmp_path, spec({"emptyDisk": {"capacity": "1Gi"}}))


def test_one_alone_while_guests_are_at_the_others(tmp_path: Path) -> None:
    given = spec({"configMap": {"name": "c"}}, {"secret": {"secretName": "s"}})
    prepared(tmp_path, given)
    places, claims = Places(tmp_path / "i", tmp_path / "v"), Claims(tmp_path / "volumes")
    shared = tmp_path / "i/shared"
    (shared / "v0/seen").touch()
    found = filesystems.prepare(
        given, "default", claims, places, tmp_path / "run", lambda v, f: {"new": b""}, only="v1"
    )
    assert set(found) == {"v0", "v1"}
    assert [path.name for path in (shared / "v1").iterdir()] == ["new"]
    assert (shared / "v0/seen").exists()
    filesystems.discard(places, "v1")
    filesystems.discard(places, "v1")
    assert [path.name for path in shared.iterdir()] == ["v0"]
