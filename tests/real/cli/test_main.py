"""The command as a process: who reads its output, and in which encoding."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.apiserver import Answer, serving

pytestmark = pytest.mark.real


def in_process(*words: str, stdout: int | None = subprocess.PIPE, **environ: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "solovirt", *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **environ}, timeout=60)


def test_nobody_reads_on() -> None:
    """`solovirt help | true`: neither a traceback nor Python's own complaint at the end."""
    read, write = os.pipe()
    os.close(read)
    try:
        for words in (["help"], ["get", "--help"]):
            done = in_process(*words, stdout=write)
            assert (done.returncode, done.stderr) == (141, b"")
    finally:
        os.close(write)


def test_a_terminal_that_lacks_a_letter() -> None:
    path = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines/x"
    words = ("get", "vm", "x", "-o", "yaml")
    with serving() as api:
        api.on("GET", path, Answer({"metadata": {"name": "grün…"}}))
        done = in_process(*words, PYTHONIOENCODING="latin-1", SOLOVIRT_SERVER=f"unix://{api.socket}", KUBECONFIG="")
    assert done.stdout == b"metadata:\n  name: gr\xfcn\\u2026\n", done
