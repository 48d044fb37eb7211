import json
from pathlib import Path

from solovirt.host import helpers_probe


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def describe(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def test_the_descriptor_names_virtiofsd(tmp_path: Path) -> None:
    own = program(tmp_path / "own/virtiofsd")
    describe(tmp_path / "d", "10.json", "{")
    describe(tmp_path / "d", "20.json", json.dumps({"type": "gpu", "binary": str(own)}))
    describe(tmp_path / "d", "30.json", json.dumps({"type": "fs", "binary": str(tmp_path / "gone")}))
    describe(tmp_path / "d", "40.json", json.dumps({"type": "fs", "binary": str(own)}))
    found = helpers_probe.probe({"PATH": ""}, descriptors=[tmp_path / "none", tmp_path / "d"])
    assert found["virtiofsd"] == str(own)


def test_path_comes_first(tmp_path: Path) -> None:
    own = program(tmp_path / "swtpm")
    assert helpers_probe.probe({"PATH": str(tmp_path)}, descriptors=[])["swtpm"] == str(own)
