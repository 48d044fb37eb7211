"""``start`` of a stopped VM with a warm image, against bare QEMU with the same arguments on copies of the same files.

Ours is timed from the API call until the watch says Running (QMP said it before that).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

from bench.harness import SUB, VMI, BareQemu, Daemon, Measure, daemon, median_ms, qemu_pids, vm, wait_until
from solovirt.kit.jsontypes import get_object, get_str

ROUNDS = 11


def run() -> list[Measure]:
    with daemon() as running:
        running.apply(vm("start"))
        ours: list[float] = []
        theirs: list[float] = []
        for number in range(ROUNDS):
            ours.append(_start(running))
            (pid,) = qemu_pids(running)
            bare = BareQemu(pid, running)
            bare.prepare()
            _stop(running)
            process, monitor, seconds = bare.start()
            theirs.append(seconds)
            bare.stop(process, monitor)
            bare.close()
            if number == 0:  # the first start pays for lazy imports and cold caches; it is told apart
                first = ours.pop() * 1000
                theirs.pop()
    name = "start: API call to running"
    measures = [Measure(name, median_ms(ours), "ms", median_ms(theirs), f"median of {len(ours)}; first {first:.0f} ms")]
    if shutil.which("virsh"):
        from bench.libvirt import start_ms

        try:
            measures.append(Measure("start: virsh start, equivalent domain", start_ms(), "ms", median_ms(theirs)))
        except subprocess.SubprocessError as error:
            print(f"libvirt was not measured: {error}", file=sys.stderr)
    return measures


def _start(running: Daemon) -> float:
    events = running.client.watch(VMI, {"fieldSelector": "metadata.name=start"})
    began = time.perf_counter()
    running.client.call("PUT", f"{SUB}/start/start", None, {})
    for event in events:
        if get_str(get_object(get_object(event, "object"), "status"), "phase") == "Running":
            seconds = time.perf_counter() - began
            events.close()  # type: ignore[attr-defined]
            return seconds
    raise RuntimeError("the watch ended before the VM ran")


def _stop(running: Daemon) -> None:
    running.client.call("PUT", f"{SUB}/start/stop", None, {"gracePeriod": 0})
    wait_until(lambda: not running.phase("start") and not qemu_pids(running), 30)
