from __future__ import annotations

from solovirt.kit.errors import Cause
from solovirt.store import messages


def test_the_sentences_clients_know() -> None:
    kind = "virtualmachines.kubevirt.io"
    assert messages.not_found(kind, "x").message == 'virtualmachines.kubevirt.io "x" not found'
    assert messages.already_exists(kind, "x").message == 'virtualmachines.kubevirt.io "x" already exists'
    assert messages.conflict(kind, "x", "no").message == (
        'Operation cannot be fulfilled on virtualmachines.kubevirt.io "x": no'
    )
    assert messages.forbidden(kind, "x", "no").message == 'virtualmachines.kubevirt.io "x" is forbidden: no'


def test_invalid_joins_its_causes() -> None:
    one = Cause("FieldValueInvalid", "spec.a: wrong", "spec.a")
    two = Cause("FieldValueInvalid", "spec.b: wrong", "spec.b")
    single = messages.invalid([one])
    assert (single.message, single.field, str(single)) == ("spec.a: wrong", "spec.a", "spec.a: wrong")
    both = messages.invalid(cause for cause in (one, two))
    assert (both.message, both.field, both.causes) == ("spec.a: wrong, spec.b: wrong", "", (one, two))
