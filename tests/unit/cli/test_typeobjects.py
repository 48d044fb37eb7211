"""Types for commands that work on files."""

from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.cli.context import Context
from solovirt.cli.manifests import read
from solovirt.cli.typeobjects import TypeObjects
from solovirt.kit.errors import NotFound

TYPES = registry.CLUSTER_INSTANCETYPES
OWN = """\
apiVersion: instancetype.kubevirt.io/v1beta1
kind: VirtualMachineClusterInstancetype
metadata: {name: u1.nano}
spec: {cpu: {guest: 7}, memory: {guest: 1Gi}}
"""


def test_the_set_that_is_shipped() -> None:
    known = TypeObjects()
    found = known.find(TYPES, "", "u1.small")
    assert found is not None
    assert found.spec.memory.guest == "2Gi"
    assert known.find(TYPES, "", "none") is None
    assert known.find(registry.CLUSTER_PREFERENCES, "", "u1.small") is None
    names = [obj.metadata.name for obj in known.every(TYPES)]
    assert names == sorted(names)
    assert "u1.small" in names
    assert list(known.every(registry.PRESETS, "default")) == []


def test_files_come_first_and_no_daemon_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOVIRT_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "own.yaml").write_text(OWN)
    context = Context()
    known = TypeObjects(read([str(tmp_path / "own.yaml")]), context)
    own = known.find(TYPES, "", "u1.nano")
    other = known.find(TYPES, "", "u1.small")
    assert own is not None
    assert other is not None
    assert (own.spec.cpu.guest, other.spec.cpu.guest) == (7, 1)
    assert [obj.spec.cpu.guest for obj in known.every(TYPES) if obj.metadata.name == "u1.nano"] == [7]
    assert context.endpoint.autostart
    assert not (tmp_path / "run").exists()


def test_a_version_that_is_not_served_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN.replace("v1beta1", "v1alpha2"))
    with pytest.raises(
        NotFound, match=rf'{file}:2:1: VirtualMachineClusterInstancetype "u1.nano": no matches for kind'
    ):
        TypeObjects(read([str(file)])).find(TYPES, "", "u1.nano")


def test_kinds_of_other_groups_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("instancetype.kubevirt.io", "example.com"))
    found = TypeObjects(read([str(tmp_path / "own.yaml")])).find(TYPES, "", "u1.nano")
    assert found is not None
    assert found.spec.cpu.guest == 1
