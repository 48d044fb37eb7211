from __future__ import annotations

import pytest

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

SUB = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/a"
OWN = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/freeze"


@pytest.mark.parametrize(("words", "sent"), [((), "300s"), (("--timeout", "1h"), "3600s"), (("--timeout", "0"), "0s")])
def test_freeze(api: FakeApi, run: Run, words: tuple[str, ...], sent: str) -> None:
    api.on("PUT", f"{SUB}/freeze", Answer())
    api.on("GET", OWN, Answer({"status": "frozen", "until": "2026-01-02T03:04:05Z"}))
    assert run("guest", "freeze", "a", *words).out == "a frozen until 2026-01-02T03:04:05Z\n"
    assert api.requests[0].body == {"unfreezeTimeout": sent}


def test_nothing_to_freeze(api: FakeApi, run: Run) -> None:
    api.on("PUT", f"{SUB}/freeze", Answer())
    api.on("GET", OWN, Answer({"status": "thawed"}))
    result = run("guest", "freeze", "a")
    assert (result.code, result.out) == (0, "")
    assert "no file system that can be frozen" in result.err


def test_thaw_and_status(api: FakeApi, run: Run) -> None:
    api.on("PUT", f"{SUB}/unfreeze", Answer())
    api.on("GET", OWN, Answer({"status": "thawed"}))
    assert run("guest", "thaw", "a").out == "a thawed\n"
    assert run("guest", "freeze-status", "a").out == "a thawed\n"


def test_too_short(api: FakeApi, run: Run) -> None:
    assert "at least 1s" in run("guest", "freeze", "a", "--timeout", "100ms").err
    assert api.requests == []
