"""``solovirt get vm``, the whole process, against the bare interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.harness import Measure, daemon, median_ms, vm

ROUNDS = 31


def run() -> list[Measure]:
    with daemon(image=False) as running:
        for number in range(5):
            running.apply(vm(f"vm-{number}"))
        command = str(Path(sys.executable).with_name("solovirt"))
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(_time([command, "get", "vm"], running.environ))
            bare.append(_time([sys.executable, "-I", "-c", "pass"], running.environ))
    return [Measure("solovirt get vm, whole process", median_ms(ours), "ms", median_ms(bare), f"median of {ROUNDS}")]


def _time(argv: list[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
