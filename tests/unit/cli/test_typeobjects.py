"""Types for commands that work on files."""

from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.cli.context import Context
from solovirt.cli.manifests import read
from solovirt.cli.typeobjects import TypeObjects

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
