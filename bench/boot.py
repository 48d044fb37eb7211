"""From ``apply`` to a connected agent, against bare QEMU with the same command line and guest."""

from __future__ import annotations

import time

from bench.harness import VM, VMI, BareQemu, Measure, connect, daemon, median_ms, qemu_pids, vm
from solovirt.kit.jsontypes import get_list, get_object, get_str

ROUNDS = 3


def run() -> list[Measure]:
    with daemon() as running:
        ours, theirs = [], []
        for number in range(ROUNDS):
            name = f"boot-{number}"
            events = running.client.watch(VMI, {})
            began = time.perf_counter()
            running.client.call("POST", VM, None, vm(name, strategy="Always"))
            for event in events:
                status = get_object(get_object(event, "object"), "status")
                conditions = [c for c in get_list(status, "conditions") if isinstance(c, dict)]
                if any(get_str(c, "type") == "AgentConnected" and get_str(c, "status") == "True" for c in conditions):
                    break
            ours.append(time.perf_counter() - began)
            events.close()  # type: ignore[attr-defined]
            (pid,) = qemu_pids(running)
            bare = BareQemu(pid, running)
            bare.prepare()
            running.delete_all()
            theirs.append(_bare(bare))
            bare.close()
    return [Measure("apply to agent connected", median_ms(ours), "ms", median_ms(theirs), f"median of {ROUNDS}")]


def _bare(bare: BareQemu) -> float:
    """Until guest-sync is answered. What is sent early waits in the socket until the guest opens its port."""
    began = time.perf_counter()
    process, monitor, _ = bare.start()
    agent = connect(bare.agent)
    agent.settimeout(120)
    answered = b""
    agent.sendall(b'\xff{"execute":"guest-sync","arguments":{"id":1}}\n')
    while b'"return"' not in answered:
        answered += agent.recv(4096)
    seconds = time.perf_counter() - began
    agent.close()
    bare.stop(process, monitor)
    return seconds
