"""A fake API server, and ``solovirt`` run in this process against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from solovirt.cli.main import main
from tests.support.apiserver import FakeApi, serving


@dataclass
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with serving() as fake:
        yield fake


@pytest.fixture
def run(api: FakeApi, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SOLOVIRT_SERVER", f"unix://{api.socket}")
    monkeypatch.delenv("KUBECONFIG", raising=False)

    def call(*words: str) -> Result:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call
