"""Every row is about a field that its guest's manifest uses."""

from __future__ import annotations

import importlib

import pytest

from solovirt.kit import yaml
from solovirt.kit.jsontypes import get_object
from tests.real.e2e.guests.rows import MANIFESTS, Row
from tests.support import specdoc

pytestmark = pytest.mark.real
BY_DEFAULT = {"domain.devices.autoattachMemBalloon"}
"""What guests have without asking."""


@pytest.mark.parametrize("module", MANIFESTS)
def test_the_manifest_has_the_field_of_every_row(module: str) -> None:
    found = importlib.import_module(f"tests.real.e2e.guests.{module.removesuffix('.py')}")
    groups = [value for value in vars(found).values() if isinstance(value, tuple) and value]
    rows = [row for group in groups for row in group if isinstance(row, Row)]
    assert rows
    documents = yaml.load_all(MANIFESTS[module].read_bytes(), source=module)
    [machine] = [d.value for d in documents if isinstance(d.value, dict) and d.value["kind"] == "VirtualMachine"]
    spec = get_object(get_object(get_object(machine, "spec"), "template"), "spec")
    missing = {row.field for row in rows if not list(specdoc.values(spec, row.field.split(".")))}
    assert missing <= BY_DEFAULT
