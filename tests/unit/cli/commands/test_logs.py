from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from solovirt.cli.commands.logs import printable
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/logs"


def test_sources(api: FakeApi, run: Run) -> None:
    api.on("GET", PATH, Answer(b"line\xff\n"))
    assert run("logs", "a").out == "line\ufffd\n"
    run("logs", "a", "--qemu", "-f", "--tail=5")
    assert api.requests[0].query == {"source": "serial"}
    assert api.requests[1].query == {"source": "qemu", "follow": "true", "tailLines": "5"}


@given(st.binary())
def test_nothing_can_drive_the_terminal(data: bytes) -> None:
    assert all(c in "\t\n" or c.isprintable() for c in printable(data))
