from __future__ import annotations

import os

import pytest

from solovirt.host import packages
from solovirt.host.images.tools import Confinement, command_line
from solovirt.kit.errors import HostError


def test_every_child_dies_with_us() -> None:
    argv = command_line("true", ["-x"], Confinement(), "")
    assert [os.path.basename(argv[0]), *argv[1:3]] == ["setpriv", "--pdeathsig", "KILL"]
    assert os.path.basename(argv[-2]) == "true"
    assert argv[-1] == "-x"
    assert not any("prlimit" in word for word in argv)


def test_limits_come_before_the_program() -> None:
    argv = command_line("true", [], Confinement(1 << 30, 60), "")
    place = next(number for number, word in enumerate(argv) if word.endswith("prlimit"))
    assert argv[place + 1 : -1] == ["--core=0", f"--as={1 << 30}", "--cpu=60"]


@pytest.mark.parametrize(("euid", "dropped"), [(0, True), (1000, False)])
def test_only_root_drops_to_another_user(monkeypatch: pytest.MonkeyPatch, euid: int, dropped: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    argv = command_line("true", [], Confinement(user=(77, 78)), "")
    wanted = ["--reuid=77", "--regid=78", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    assert (argv[3:8] == wanted) is dropped


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find", lambda tool, **options: None)
    with pytest.raises(HostError) as caught:
        command_line("skopeo", [], Confinement(), "pulling images from registries")
    assert caught.value.reason == "MissingTool"
    assert caught.value.hint == "apt install skopeo"
    assert "pulling images" in caught.value.message
