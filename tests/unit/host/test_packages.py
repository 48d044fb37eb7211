from pathlib import Path

import pytest

from solovirt.host import packages
from solovirt.kit.errors import HostError


def make_tool(folder: Path, name: str, mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.write_text("#!/bin/sh\n")
    tool.chmod(mode)
    return tool


def test_a_program_in_path_is_found(tmp_path: Path) -> None:
    tool = make_tool(tmp_path / "bin", "frobnicate")

    assert packages.require("frobnicate", environ={"PATH": str(tmp_path / "bin")}) == tool


def test_system_folders_are_searched_even_when_path_lacks_them() -> None:
    assert packages.find("sh", environ={"PATH": "/nonexistent"}) is not None


def test_relative_path_entries_are_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tool(tmp_path, "frobnicate")
    monkeypatch.chdir(tmp_path)

    assert packages.find("frobnicate", environ={"PATH": f".{':'}"}) is None


def test_a_file_that_cannot_be_executed_is_not_a_program(tmp_path: Path) -> None:
    make_tool(tmp_path, "frobnicate", mode=0o644)

    assert packages.find("frobnicate", environ={"PATH": str(tmp_path)}) is None


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_ALWAYS_SEARCHED", ())

    with pytest.raises(HostError) as caught:
        packages.require("qemu-img", needed_for="disk images", environ={"PATH": "/nonexistent"})

    assert caught.value.reason == "MissingTool"
    assert caught.value.hint == "apt install qemu-utils"
    assert caught.value.message == "qemu-img, needed for disk images, is not installed"
