from pathlib import Path

import pytest
from msgspec.structs import replace

from solovirt.controllers.vmi import programs
from solovirt.host import access, facts
from solovirt.host.equipment import Equipment
from solovirt.host.model.bindings import FilesystemBinding
from solovirt.kit.errors import HostError

KNOWN = facts.load("qemu-7.2")


def test_none() -> None:
    assert programs.helpers(Equipment(), KNOWN, "/run/tpm.sock") == ()


def test_swtpm_runs_as_the_machine_and_ends_with_it() -> None:
    [swtpm] = programs.helpers(Equipment(tpm_state=Path("/s/tpm")), KNOWN, "/run/tpm.sock")
    assert (swtpm.name, swtpm.socket, swtpm.confines_itself) == ("swtpm", "/run/tpm.sock", False)
    assert "--tpm2" in swtpm.argv and "--terminate" in swtpm.argv
    assert "dir=/s/tpm,mode=0600" in swtpm.argv and "type=unixio,fd=@fd@" in swtpm.argv


def test_a_comma_would_be_another_option() -> None:
    with pytest.raises(HostError, match="no comma"):
        programs.helpers(Equipment(tpm_state=Path("/a,b/tpm")), KNOWN, "/run/tpm.sock")


@pytest.mark.parametrize("read_only", [True, False])
def test_virtiofsd_sees_its_directory_only(monkeypatch: pytest.MonkeyPatch, read_only: bool) -> None:
    monkeypatch.setattr(access, "is_root", lambda: True)
    shared = FilesystemBinding("data", "/s/data,x", "/run/fs0.sock", read_only)
    [virtiofsd] = programs.helpers(Equipment(filesystems={"data": shared}), KNOWN, "")
    assert virtiofsd.name == "virtiofsd-data" and virtiofsd.confines_itself
    before = virtiofsd.argv[: virtiofsd.argv.index("--")]
    after = virtiofsd.argv[virtiofsd.argv.index("--") :]
    assert before[4:6] == ("--share", "/s/data,x")
    assert ("--read-only" in before) is read_only
    assert f"{access.SHARES}:{access.SHARED_IDS}" in before
    assert "source=@share@" in after and "/s/data,x" not in after


def test_without_root_there_are_no_ids_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_root", lambda: False)
    shared = FilesystemBinding("data", "/s/data", "/run/fs0.sock")
    [virtiofsd] = programs.helpers(Equipment(filesystems={"data": shared}), KNOWN, "")
    assert "--ids" not in virtiofsd.argv and "uidmap" in virtiofsd.hint


def test_one_shared_directory_by_itself() -> None:
    shared = FilesystemBinding("data", "/s/data", "/run/fs0.sock")
    found = programs.sharing(KNOWN, shared)
    assert (found,) == programs.helpers(Equipment(filesystems={"data": shared}), KNOWN, "")
    assert found.name == programs.sharing_name("data")
    with pytest.raises(HostError, match="not installed") as caught:
        programs.sharing(replace(KNOWN, helpers={}), shared)
    assert caught.value.reason == "MissingTool"
