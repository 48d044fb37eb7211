"""What 50 running VMs cost the daemon while nothing happens: its CPU time, with and without a scraper.

The machines are stand-ins (``bench.standin``): QEMU's sockets, a monitor and an agent that answers. 50 guests under
software emulation would keep this host busy and measure themselves; the daemon's side of it is all real.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import standin
from bench.harness import VMI, Measure, daemon, vm, wait_until
from solovirt.cli.client import Client
from solovirt.kit.jsontypes import get_list, get_object

VMS = 50
SECONDS = 60
SCRAPES = 4
"""In that time: one every 15 s, which is often."""
LIMIT = 2.0
"""Per cent of one CPU that the issue allows."""


def run() -> list[Measure]:
    place = Path(tempfile.mkdtemp(prefix="sv-standin-", dir="/var/tmp"))
    try:
        os.environ["SOLOVIRT_QEMU"] = str(_put_standin(place))
        with daemon(image=False) as running:
            for number in range(VMS):
                running.apply(vm(f"vm-{number}", strategy="Always", memory="32Mi", disk=False))
            wait_until(lambda: _connected(running.client.get(VMI)) == VMS, 180, 0.5)
            time.sleep(15)  # the first questions to an agent come soon after each other
            alone = _cpu_percent(running.pid, lambda: time.sleep(SECONDS))
            scraped = _cpu_percent(running.pid, lambda: _scrape(running.client))
            took = _scrape_seconds(running.client)
    finally:
        os.environ.pop("SOLOVIRT_QEMU", None)
        shutil.rmtree(place)
    text = f"{SECONDS} s, stand-ins for QEMU and agent; at most {LIMIT:g}"
    return [
        Measure(f"daemon CPU with {VMS} running VMs", alone, "% of a CPU", detail=text),
        Measure(f"the same, /metrics every {SECONDS // SCRAPES} s", scraped, "% of a CPU", detail=text),
        Measure(f"GET /metrics with {VMS} running VMs", took * 1000, "ms"),
    ]


def _put_standin(place: Path) -> Path:
    """A ``qemu-system-x86_64`` that is the real one for questions, and the stand-in for machines."""
    real = shutil.which("qemu-system-x86_64")
    place.chmod(0o755)
    program = place / "standin.py"
    shutil.copy(Path(standin.__file__), program)
    program.chmod(0o644)
    wrapper = place / "qemu-system-x86_64"
    wrapper.write_text(
        f'#!/bin/sh\ncase " $* " in *" -no-shutdown "*) exec /usr/bin/python3 {program} "$@";; esac\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    return wrapper


def _connected(listing: object) -> int:
    found = 0
    for item in get_list(listing, "items") if isinstance(listing, dict) else []:
        if isinstance(item, dict):
            conditions = get_list(get_object(item, "status"), "conditions")
            found += any(isinstance(c, dict) and c.get("type") == "AgentConnected" for c in conditions)
    return found


def _cpu_percent(pid: int, work: Callable[[], None]) -> float:
    before, began = _cpu_seconds(pid), time.monotonic()
    work()
    return (_cpu_seconds(pid) - before) / (time.monotonic() - began) * 100


def _cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _scrape(client: Client) -> None:
    for _ in range(SCRAPES):
        began = time.monotonic()
        _scrape_seconds(client)
        time.sleep(SECONDS / SCRAPES - (time.monotonic() - began))


def _scrape_seconds(client: Client) -> float:
    began = time.perf_counter()
    response = client.open("GET", "/metrics", accept="text/plain")
    assert response.read().count(b"kubevirt_vmi_cpu_usage_seconds_total{") == VMS
    return time.perf_counter() - began
