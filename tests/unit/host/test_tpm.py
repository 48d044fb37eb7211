from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import tpm
from solovirt.host.kept import Places
from solovirt.kit.json import convert


def spec(given: dict[str, object] | None) -> VirtualMachineInstanceSpec:
    return convert({"domain": {"devices": {"tpm": given}}}, VirtualMachineInstanceSpec)


@pytest.mark.parametrize(("given", "place"), [({}, "i"), ({"persistent": True}, "v")])
def test_the_state_is_where_it_shall_live(tmp_path: Path, given: dict[str, object], place: str) -> None:
    found = tpm.prepare(spec(given), Places(tmp_path / "i", tmp_path / "v"))
    assert found == tmp_path / place / "tpm"
    assert found.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("given", [None, {"enabled": False}, {"enabled": False, "persistent": True}])
def test_none(tmp_path: Path, given: dict[str, object] | None) -> None:
    assert tpm.prepare(spec(given), Places(tmp_path / "i", tmp_path / "v")) is None
    assert not list(tmp_path.iterdir())
