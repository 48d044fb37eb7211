"""A vCPU and 1 GiB plugged, and memory unplugged, until the guest sees it: a PATCH of the VM, and bare QMP.

One guest for both: while bare QMP is measured the daemon is away. A loop in the guest tells on the serial console what
it sees. vCPUs are only plugged: emulated ones never go (docs/hotplug.md). Memory is virtio-mem in both cases.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import VM, VMI, Daemon, Measure, connect, daemon, median_ms, vm, wait_until
from solovirt.cli.client import ApiError
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

NAME = "hotplug"
SOCKETS = 16
ROUNDS = 3
MEMORY_ROUNDS = 2
"""For each vCPU: what an emulated guest needs for the same memory varies by a half and more."""
SIZE = 1 << 30
EXTENSIONS = f"/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/{NAME}"
LOOP = (
    'while :; do read c < /sys/devices/system/cpu/online; read _ m _ < /proc/meminfo; [ "$c $m" = "$p" ] ||'
    ' echo "SEES $c $m" > /dev/ttyS0; p="$c $m"; usleep 5000; done'
)
PATCH = "application/merge-patch+json"


class Guest:
    """What it says that it sees: CPUs (their list), and memory in KiB."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def sees(self) -> tuple[int, int]:
        lines = [line for line in self._log.read_text(errors="replace").split("\n")[:-1] if "SEES" in line]
        online, total = lines[-1].split("SEES")[1].split()
        return int(online.rpartition("-")[2]) + 1, int(total)

    def until(self, seen: Callable[[int, int], bool]) -> None:
        wait_until(lambda: seen(*self.sees()), 60, 0.001)


class Monitor:
    """Bare QMP."""

    def __init__(self, path: Path) -> None:
        self._socket = connect(path)
        self._stream = self._socket.makefile("rwb", buffering=0)
        self._stream.readline()
        self.ask("qmp_capabilities")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def ask(self, command: str, arguments: JsonObject | None = None) -> Json:
        self._stream.write(json.dumps({"execute": command, "arguments": arguments or {}}).encode())
        while "return" not in (message := json.loads(self._stream.readline())):
            if "error" in message:
                raise RuntimeError(str(message["error"]))
        return message["return"]  # type: ignore[no-any-return]


Times = tuple[list[float], list[float], list[float]]
"""Of a vCPU, of memory plugged and unplugged."""


def run() -> list[Measure]:
    bare: Times = ([], [], [])
    ours: Times = ([], [], [])
    with daemon() as running:
        manifest = vm(NAME, strategy="Always")
        domain = get_object(get_object(get_object(get_object(manifest, "spec"), "template"), "spec"), "domain")
        domain["cpu"] = {"sockets": 1, "maxSockets": SOCKETS}
        domain["memory"] = {"guest": "256Mi", "maxGuest": "4Gi"}
        running.apply(manifest)
        wait_until(lambda: _agent(running), 120)
        body: JsonObject = {"command": ["/bin/sh", "-c", f"( {LOOP} ) > /dev/null 2>&1 < /dev/null &"]}
        running.client.call("POST", f"{EXTENSIONS}/exec", None, body)
        uid = get_str(get_object(running.client.get(f"{VMI}/{NAME}"), "metadata"), "uid")
        guest = Guest(running.state / "instances" / uid / "serial.log")
        time.sleep(1)
        # The more CPUs a guest has the longer it takes for another: half of bare QMP before ours, half after.
        _bare(running, uid, guest, bare)
        _ours(running, guest, ours)
        _bare(running, uid, guest, bare)
    names = ("plug a vCPU until the guest sees it", "plug 1 GiB until the guest sees it", "unplug it again")
    return [
        Measure(name, median_ms(own), "ms", median_ms(their), f"median of {len(own)}")
        for name, own, their in zip(names, ours, bare, strict=True)
    ]


def _ours(running: Daemon, guest: Guest, found: Times) -> None:
    cpus, total = guest.sees()
    # What bare QMP did is the manifest's now.
    _patch(running, {"cpu": {"sockets": cpus}}, guest, _cpus(cpus))
    for number in range(cpus + 1, cpus + 1 + 2 * ROUNDS):
        found[0].append(_patch(running, {"cpu": {"sockets": number}}, guest, _cpus(number)))
        for _ in range(MEMORY_ROUNDS):
            found[1].append(_patch(running, {"memory": {"guest": "1280Mi"}}, guest, _memory(total + SIZE // 1024)))
            found[2].append(_patch(running, {"memory": {"guest": "256Mi"}}, guest, _memory(total)))


def _patch(running: Daemon, domain: JsonObject, guest: Guest, seen: Callable[[int, int], bool]) -> float:
    body: JsonObject = {"spec": {"template": {"spec": {"domain": domain}}}}
    began = time.perf_counter()
    running.client.call("PATCH", f"{VM}/{NAME}", None, body, content_type=PATCH)
    guest.until(seen)
    seconds = time.perf_counter() - began
    time.sleep(0.3)
    wait_until(lambda: not any("Hot" in kind for kind in _conditions(running)), 60)
    return seconds


def _bare(running: Daemon, uid: str, guest: Guest, found: Times) -> None:
    running.kill()
    monitor = Monitor(running.runtime / "vmi" / uid / "qmp.sock")
    _, total = guest.sees()
    for _ in range(ROUNDS):
        places = monitor.ask("query-hotpluggable-cpus")
        assert isinstance(places, list)
        free = [one for one in places if isinstance(one, dict) and "qom-path" not in one]
        place = min(free, key=lambda one: get_int(get_object(one, "props"), "socket-id"))
        props = get_object(place, "props")
        number = get_int(props, "socket-id") + 1
        device: JsonObject = {"driver": get_str(place, "type"), "id": f"bare{number}", **props}
        found[0].append(_tell(monitor, "device_add", device, guest, _cpus(number)))
        for index, (size, wanted) in (*enumerate(((SIZE, total + SIZE // 1024), (0, total)), start=1),) * MEMORY_ROUNDS:
            change: JsonObject = {"path": "/machine/peripheral/virtiomem0", "property": "requested-size", "value": size}
            found[index].append(_tell(monitor, "qom-set", change, guest, _memory(wanted)))
    monitor.close()
    running.start()


def _tell(
    monitor: Monitor, command: str, arguments: JsonObject, guest: Guest, seen: Callable[[int, int], bool]
) -> float:
    began = time.perf_counter()
    monitor.ask(command, arguments)
    guest.until(seen)
    seconds = time.perf_counter() - began
    time.sleep(0.3)
    return seconds


def _cpus(wanted: int) -> Callable[[int, int], bool]:
    return lambda cpus, _: cpus == wanted


def _memory(wanted: int) -> Callable[[int, int], bool]:
    """A vCPU that comes takes a little of the memory."""
    return lambda _, total: abs(total - wanted) < 32768


def _agent(running: Daemon) -> bool:
    return "AgentConnected" in _conditions(running)


def _conditions(running: Daemon) -> list[str]:
    try:
        status = get_object(running.client.get(f"{VMI}/{NAME}"), "status")
    except ApiError:  # it is not there yet
        return []
    return [get_str(one, "type") for one in get_list(status, "conditions") if isinstance(one, dict)]
