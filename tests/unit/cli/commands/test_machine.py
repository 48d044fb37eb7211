from __future__ import annotations

import pytest

from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run

KUBEVIRT = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/a"
OURS = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a"


@pytest.mark.parametrize(
    ("verb", "path", "said"),
    [
        ("soft-reboot", f"{KUBEVIRT}/softreboot", "VMI a was scheduled to soft-reboot\n"),
        ("reset", f"{KUBEVIRT}/reset", "VMI a was scheduled to reset\n"),
        ("nmi", f"{OURS}/nmi", "a non-maskable interrupt was sent to VMI a\n"),
    ],
)
def test_buttons(api: FakeApi, run: Run, verb: str, path: str, said: str) -> None:
    api.on("PUT", path, Answer(None))
    result = run(verb, "a")
    assert (result.code, result.out) == (0, said), result.err
    api.on("PUT", path, status(409, "Conflict", "VM is not running"))
    assert "VM is not running" in run(verb, "a").err
