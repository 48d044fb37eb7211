"""Name, start, end."""

from __future__ import annotations

from solovirt.compile.configurators import frame
from tests.unit.compile.helpers import run


def test_options() -> None:
    assert run(frame.opening) == ["-name guest=default_test,debug-threads=on", "-S"]
    assert run(frame.isolation) == ["-no-user-config", "-nodefaults"]
    assert run(frame.lifecycle) == ["-no-shutdown", "-boot strict=on"]
    assert run(frame.closing) == ["-msg timestamp=on"]
