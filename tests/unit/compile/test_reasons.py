"""Each constructor makes its kind."""

from __future__ import annotations

from solovirt.compile import reasons
from solovirt.compile.options import Reason


def test_kinds() -> None:
    assert reasons.manifest("a.b", "t") == Reason("manifest", "t", "a.b")
    assert reasons.default("t", "a") == Reason("default", "t", "a")
    assert reasons.host("t") == Reason("host", "t", "")
    assert reasons.needs("t") == Reason("dependency", "t", "")
