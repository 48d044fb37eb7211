"""The helper for SCSI reservations is asked for only by who needs it."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.disks import Disk, LunTarget
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host.volumes import reservations
from solovirt.kit.errors import HostError
from tests.unit.host.volumes.fakes import vmi


def spec(*reserving: bool) -> VirtualMachineInstanceSpec:
    made = vmi().spec
    disks = [Disk(name=f"d{i}", lun=LunTarget(bus="scsi", reservation=one)) for i, one in enumerate(reserving)]
    made.domain.devices.disks = [*disks, Disk(name="other")]
    return made


def test_nobody_asks(tmp_path: Path) -> None:
    assert reservations.wanted(spec(False)) == []
    reservations.check(spec(False), "spec", tmp_path / "none")


@pytest.mark.parametrize("there", [False, True])
def test_a_plain_file_is_no_helper(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "s"
    if there:
        path.touch()
    with pytest.raises(HostError, match="qemu-pr-helper does not listen") as caught:
        reservations.check(spec(False, True), "spec", path)
    assert caught.value.field == "spec.domain.devices.disks[1].lun.reservation"


def test_a_listening_helper() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "s"
        listener.bind(str(path))
        reservations.check(spec(True), "spec", path)
