"""libvirt's start of a domain like the one that `start` measures, where virsh is installed and its daemon runs."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time

TIMEOUT = 60
"""Seconds for one virsh call: libvirt probes KVM first, and there are hosts where that never ends."""
DOMAIN = """<domain type='qemu'><name>sv-bench</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type machine='q35'>hvm</type></os><features><acpi/></features><cpu mode='maximum'/>
<devices><interface type='user'><model type='virtio'/></interface><serial type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' socket='/tmp/sv-bench-vnc.sock'/><video><model type='vga'/></video>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices></domain>"""


def start_ms(rounds: int = 10) -> float:
    times = []
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(DOMAIN)
        file.flush()
        subprocess.run(["virsh", "define", file.name], check=True, capture_output=True, timeout=TIMEOUT)
    try:
        for _ in range(rounds):
            began = time.perf_counter()
            subprocess.run(["virsh", "start", "sv-bench"], check=True, capture_output=True, timeout=TIMEOUT)
            times.append(time.perf_counter() - began)
            subprocess.run(["virsh", "destroy", "sv-bench"], check=True, capture_output=True, timeout=TIMEOUT)
    finally:
        subprocess.run(["virsh", "undefine", "sv-bench"], check=True, capture_output=True, timeout=TIMEOUT)
    return statistics.median(times) * 1000
