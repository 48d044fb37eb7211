"""From a manifest to a command line: the function, and ``explain -f`` as a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.golden import cases

from bench.harness import Measure, median_ms
from solovirt.api.decode import decode
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from solovirt.compile.plan import compile_machine
from solovirt.compile.render import argv
from solovirt.kit import yaml
from solovirt.kit.json import Json

WARM, ROUNDS, PROCESSES = 30, 300, 31
CASES = {"hello": "examples/hello.yaml", "slides-windows": "examples/windows-server.yaml"}
ROOT = Path(__file__).parents[1]


def run() -> list[Measure]:
    found = [
        Measure(
            f"compile golden {name}",
            median_ms(_compile(name)),
            "ms",
            detail=f"decode to argv, warm, median of {ROUNDS}",
        )
        for name in CASES
    ]
    return [*found, *(_explain(path) for path in CASES.values())]


def _compile(name: str) -> list[float]:
    case = cases.load(name)
    documents = yaml.load_all((cases.HERE / name / "vm.yaml").read_bytes())
    manifest = next(
        one.value for one in documents if isinstance(one.value, dict) and one.value["kind"] == "VirtualMachine"
    )
    for _ in range(WARM):
        _once(manifest, case)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        _once(manifest, case)
        times.append(time.perf_counter() - began)
    return times


def _once(manifest: Json, case: cases.Case) -> list[str]:
    vm = decode(VIRTUAL_MACHINES, manifest).object
    vmi = VirtualMachineInstance(metadata=vm.metadata, spec=vm.spec.template.spec)
    VIRTUAL_MACHINE_INSTANCES.default(vmi)
    return argv(compile_machine(vmi.spec, case.facts, case.bindings))


def _explain(path: str) -> Measure:
    command = str(Path(sys.executable).with_name("solovirt"))
    with tempfile.TemporaryDirectory(prefix="solovirt-bench-") as folder:
        environ = {
            **os.environ,
            "SOLOVIRT_STATE_DIR": f"{folder}/state",
            "SOLOVIRT_RUNTIME_DIR": f"{folder}/run",
            "SOLOVIRT_ACCEL": os.environ.get("SOLOVIRT_ACCEL", "tcg"),
        }
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        ours, bare = [], []
        for _ in range(PROCESSES):
            ours.append(_time([command, "explain", "-f", str(ROOT / path)], environ))
            bare.append(_time([sys.executable, "-I", "-c", "pass"], environ))
    # The first one asks QEMU and keeps the answer.
    return Measure(
        f"explain -f {path}, whole process", median_ms(ours[1:]), "ms", median_ms(bare), f"median of {PROCESSES - 1}"
    )


def _time(words: list[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, env=environ, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began
