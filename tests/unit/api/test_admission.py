"""The seam for rules that need other objects: what it defaults to."""

from __future__ import annotations

from solovirt.api.admission import Admission, Nothing
from solovirt.api.core.configmap import RESOURCE, ConfigMap
from solovirt.api.meta import ObjectMeta


def test_nothing_is_changed_or_judged_unless_a_kind_says_so() -> None:
    obj = ConfigMap(metadata=ObjectMeta(name="a"))
    admission: Admission[ConfigMap] = Admission()
    admission.mutate(obj, None, Nothing())
    assert admission.expand(obj, Nothing()).object is obj
    assert list(admission.expand(obj, Nothing()).causes) == []
    assert Nothing().find(RESOURCE, "default", "a") is None
    assert list(Nothing().every(RESOURCE)) == []
