"""The daemon's resident memory: idle, and what each of 50 paused small VMs adds."""

from __future__ import annotations

import time

from bench.harness import SUB, Measure, daemon, rss_mib, vm, wait_until

VMS = 50


def run() -> list[Measure]:
    with daemon(image=False) as running:
        time.sleep(3)
        idle = rss_mib(running.pid)
        for number in range(VMS):
            running.apply(vm(f"vm-{number}", memory="32Mi", disk=False))
            running.client.call("PUT", f"{SUB}/vm-{number}/start", None, {"paused": True})
        wait_until(lambda: all(running.phase(f"vm-{n}") == "Running" for n in range(VMS)), 300, 0.5)
        time.sleep(5)
        loaded = rss_mib(running.pid)
    return [
        Measure("daemon idle, RSS", idle, "MiB"),
        Measure(f"daemon, for each of {VMS} paused VMs", (loaded - idle) / VMS, "MiB", detail=f"RSS {loaded:.1f} MiB"),
    ]
