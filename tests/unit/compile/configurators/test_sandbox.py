"""No machine runs unconfined."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import sandbox
from solovirt.kit.errors import HostError
from tests.golden.cases import host_facts
from tests.unit.compile.helpers import run


def test_sandbox() -> None:
    assert run(sandbox.options) == ["-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]


def test_a_qemu_without_seccomp_is_refused() -> None:
    facts = host_facts()
    bare = msgspec.structs.replace(facts, qemu=msgspec.structs.replace(facts.qemu, options=frozenset()))
    with pytest.raises(HostError) as caught:
        run(sandbox.options, facts=bare)
    assert caught.value.reason == "SandboxMissing"
