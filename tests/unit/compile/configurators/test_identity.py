"""Who the machine says it is."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import identity
from solovirt.host.model.bindings import Pins
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import UUID, context, run

OTHER = "5d307ca9-b3ef-428c-8861-06e72d69f223"


def test_pinned() -> None:
    assert run(identity.options, pins=Pins(uuid=UUID, serial="S,1")) == [
        f"-uuid {UUID}",
        f"-smbios type=1,manufacturer=KubeVirt,product=None,uuid={UUID},family=KubeVirt,serial=S,,1",
    ]


def test_the_manifest_beats_the_pin() -> None:
    ctx = context(f"domain: {{firmware: {{uuid: {OTHER.upper()}, serial: mine}}}}", pins=Pins(uuid=UUID, serial="x"))
    assert identity.uuid(ctx)[0] == OTHER
    assert identity.serial(ctx)[0] == "mine"
    assert identity.uuid(ctx)[1].path == "domain.firmware.uuid"


def test_no_serial() -> None:
    assert "serial" not in run(identity.options)[1]


def test_malformed() -> None:
    with pytest.raises(Invalid, match="is not a UUID"):
        run(identity.options, "domain: {firmware: {uuid: 'a,b'}}")
    with pytest.raises(HostError, match="no UUID"):
        run(identity.options, pins=Pins())
