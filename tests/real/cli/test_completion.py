"""The completion script in a real bash."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import served
from tests.support.manifests import vm
from tests.support.served import Served

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("bash") is None, reason="bash is what completes here"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served.serving() as made:
        yield made


@pytest.fixture(scope="module")
def environ(server: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """``solovirt`` in PATH, its server, and a VM."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "solovirt").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m solovirt "$@"\n')
    (folder / "solovirt").chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SOLOVIRT_") and k != "KUBECONFIG"}
    made = {**kept, "PATH": f"{folder}:{os.environ['PATH']}", "SOLOVIRT_SERVER": server.url}
    manifest = str(vm("hello", strategy="Halted")).replace("'", '"').encode()
    subprocess.run(["solovirt", "apply", "-f", "-"], env=made, input=manifest, check=True, timeout=60)
    return made


def completed(environ: dict[str, str], cwd: Path, *words: str) -> list[str]:
    """COMPREPLY for these words as bash splits them, the last one under the cursor."""
    script = (
        'source <(solovirt completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _solovirt; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-u", "-c", script, "bash", *words], env=environ, cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("st",), ["start", "stop"]),
        (("get", "vm", "h"), ["hello"]),
        (("get", "vm/"), ["vm/hello"]),
        (("-n", "default", "start", ""), ["hello"]),
        (("get", "vm", "--output", "=", "n"), ["name"]),
        (("apply", "-f", "man"), ["manifest"]),
        (("start", "x"), []),
    ],
)
def test_bash(environ: dict[str, str], tmp_path: Path, words: tuple[str, ...], expected: list[str]) -> None:
    (tmp_path / "manifest").mkdir()
    assert completed(environ, tmp_path, "solovirt", *words) == expected


def test_installed(environ: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", "source <(solovirt completion bash); complete -p solovirt"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "complete -F _solovirt solovirt\n"
