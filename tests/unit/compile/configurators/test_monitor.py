"""QMP."""

from __future__ import annotations

from solovirt.compile.configurators import monitor
from tests.unit.compile.helpers import run


def test_monitor() -> None:
    assert run(monitor.options) == [
        "-chardev socket,id=charmonitor,path=/run/solovirt/vmi/test/qmp.sock,server=on,wait=off",
        "-mon chardev=charmonitor,id=monitor,mode=control",
    ]
