"""``python -m bench [NAME ...]``: run the measurements, print a table, write bench/results/latest.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from bench import adopt, agent, boot, cli, compiling, hotplug, idle, polling, start
from bench.harness import Measure

BENCHES = {
    "start": start.run,
    "get": cli.run,
    "idle": idle.run,
    "adopt": adopt.run,
    "boot": boot.run,
    "compile": compiling.run,
    "polling": polling.run,
    "agent": agent.run,
    "hotplug": hotplug.run,
}
RESULTS = Path(__file__).parent / "results/latest.json"


def machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}"


def versions() -> dict[str, str]:
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    packages = ("solovirt", "msgspec", "starlette", "uvicorn", "qemu.qmp")
    return {
        "qemu": qemu.splitlines()[0],
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no such measurement: {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    found: list[dict[str, object]] = []
    common: dict[str, object] = {"machine": machine(), "versions": versions()}
    print(f"{common['machine']}\n{common['versions']}\n")
    print(f"{'measurement':<44}{'value':>10}{'bare':>10}{'ratio':>8}  unit")
    for name in names or list(BENCHES):
        load = os.getloadavg()[0]
        for measure in BENCHES[name]():
            show(measure)
            found.append({**measure.row(), **common, "load": round(load, 2)})
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(f"\nwritten: {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")
    return 0


def show(measure: Measure) -> None:
    bare = f"{measure.bare:.1f}" if measure.bare is not None else "-"
    ratio = f"{measure.ratio:.2f}" if measure.ratio is not None else "-"
    print(f"{measure.name:<44}{measure.value:>10.1f}{bare:>10}{ratio:>8}  {measure.unit}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
