"""kill -9 with 50 running VMs, then a new daemon: the time until it is ready and has every VM again."""

from __future__ import annotations

import time

from bench.harness import SUB, VMI, Daemon, Measure, daemon, qemu_pids, vm, wait_until
from solovirt.kit.jsontypes import get_list, get_object, get_str

VMS = 50


def run() -> list[Measure]:
    with daemon(image=False) as running:
        for number in range(VMS):
            running.apply(vm(f"vm-{number}", memory="32Mi", disk=False))
            running.client.call("PUT", f"{SUB}/vm-{number}/start", None, {"paused": True})
        wait_until(lambda: _paused(running) == VMS, 300, 0.5)
        before = sorted(qemu_pids(running))
        running.kill()
        began = time.perf_counter()
        ready = running.start()
        # Each VM answers through the API, so its monitor has been found again: unpause goes over QMP.
        running.client.call("PUT", f"{SUB.replace('machines', 'machineinstances')}/vm-0/unpause", None, {})
        seconds = time.perf_counter() - began
        wait_until(lambda: _paused(running) == VMS - 1, 30)
        if sorted(qemu_pids(running)) != before:
            raise RuntimeError("not every VM was adopted")
    return [Measure(f"{VMS} VMs re-adopted after kill -9", seconds, "s", detail=f"ready after {ready:.2f} s")]


def _paused(running: Daemon) -> int:
    items = get_list(running.client.get(VMI), "items")
    statuses = [get_object(item, "status") for item in items if isinstance(item, dict)]
    conditions = [c for s in statuses for c in get_list(s, "conditions") if isinstance(c, dict)]
    return sum(get_str(c, "type") == "Paused" and get_str(c, "status") == "True" for c in conditions)
