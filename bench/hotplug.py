"""A vCPU and 1 GiB plugged, and memory unplugged, until the guest sees it: a PATCH of the VM, and bare QMP.

The same guest for both: while bare QMP is measured the daemon is away. A loop in the guest tells on the serial console
what it sees. vCPUs are only plugged: emulated ones never go (docs/hotplug.md). Memory is virtio-mem in both cases, and
its guest keeps its one vCPU, as each more makes an emulated guest slower.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from bench.harness import VM, VMI, Daemon, Measure, connect, daemon, vm, wait_until
from solovirt.cli.client import ApiError
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

NAME = "hotplug"
SOCKETS = 16
TURNS = 3
"""Of ours and of bare QMP."""
PLUGS = 10
"""Of memory, in a turn. An emulated guest takes 140 or 230 ms for the same, as by a throw of dice: a median of few
would be either."""
SIZE = 1 << 30
EXTENSIONS = f"/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/{NAME}"
LOOP = (
    'while :; do read c < /sys/devices/system/cpu/online; read _ m _ < /proc/meminfo; [ "$c $m" = "$p" ] ||'
    ' echo "SEES $c $m" > /dev/ttyS0; p="$c $m"; usleep 5000; done'
)
PATCH = "application/merge-patch+json"
Seen = Callable[[int, int], bool]


class Guest:
    """What it says that it sees: CPUs (their list), and memory in KiB."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def sees(self) -> tuple[int, int]:
        lines = [line for line in self._log.read_text(errors="replace").split("\n")[:-1] if "SEES" in line]
        online, total = lines[-1].split("SEES")[1].split()
        return int(online.rpartition("-")[2]) + 1, int(total)

    def until(self, seen: Seen) -> None:
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


class Machine:
    """A running VM that tells what it sees, and whose daemon can be away."""

    def __init__(self, running: Daemon, domain: JsonObject) -> None:
        self.running = running
        manifest = vm(NAME, strategy="Always")
        template = get_object(get_object(get_object(manifest, "spec"), "template"), "spec")
        get_object(template, "domain").update(domain)
        running.apply(manifest)
        wait_until(lambda: "AgentConnected" in self._conditions(), 120)
        body: JsonObject = {"command": ["/bin/sh", "-c", f"( {LOOP} ) > /dev/null 2>&1 < /dev/null &"]}
        running.client.call("POST", f"{EXTENSIONS}/exec", None, body)
        self._uid = get_str(get_object(running.client.get(f"{VMI}/{NAME}"), "metadata"), "uid")
        self.guest = Guest(running.state / "instances" / self._uid / "serial.log")
        time.sleep(1)

    @contextmanager
    def bare(self) -> Iterator[Monitor]:
        self.running.kill()
        monitor = Monitor(self.running.runtime / "vmi" / self._uid / "qmp.sock")
        time.sleep(0.3)
        try:
            yield monitor
        finally:
            monitor.close()
        self.running.start()
        time.sleep(1)

    def patch(self, domain: JsonObject, seen: Seen) -> float:
        """Seconds from the request until the guest sees it."""
        body: JsonObject = {"spec": {"template": {"spec": {"domain": domain}}}}
        began = time.perf_counter()
        self.running.client.call("PATCH", f"{VM}/{NAME}", None, body, content_type=PATCH)
        self.guest.until(seen)
        seconds = time.perf_counter() - began
        time.sleep(0.3)
        wait_until(lambda: not any("Hot" in kind for kind in self._conditions()), 60)
        return seconds

    def tell(self, monitor: Monitor, command: str, arguments: JsonObject, seen: Seen) -> float:
        """Seconds from the command until the guest sees it."""
        began = time.perf_counter()
        monitor.ask(command, arguments)
        self.guest.until(seen)
        seconds = time.perf_counter() - began
        time.sleep(0.3)
        return seconds

    def _conditions(self) -> list[str]:
        try:
            status = get_object(self.running.client.get(f"{VMI}/{NAME}"), "status")
        except ApiError:  # it is not there yet
            return []
        return [get_str(one, "type") for one in get_list(status, "conditions") if isinstance(one, dict)]


def run() -> list[Measure]:
    with daemon() as running:
        machine = Machine(running, {"cpu": {"sockets": 1, "maxSockets": SOCKETS}})
        found = [_vcpus(machine)]
        running.delete_all()
        machine = Machine(running, {"memory": {"guest": "256Mi", "maxGuest": "4Gi"}})
        found += _memory(machine)
    return found


def _vcpus(machine: Machine) -> Measure:
    """The more CPUs a guest has the longer it takes for another: ours are between those of bare QMP."""
    ours: list[float] = []
    bare: list[float] = []
    for number in range(2, 2 + 4 * TURNS, 4):
        bare.append(_bare_vcpu(machine, number))
        ours += [machine.patch({"cpu": {"sockets": one}}, _sees_cpus(one)) for one in (number + 1, number + 2)]
        bare.append(_bare_vcpu(machine, number + 3))
    return _measure("plug a vCPU until the guest sees it", ours, bare)


def _bare_vcpu(machine: Machine, number: int) -> float:
    with machine.bare() as monitor:
        places = monitor.ask("query-hotpluggable-cpus")
        assert isinstance(places, list)
        free = [one for one in places if isinstance(one, dict) and "qom-path" not in one]
        place = min(free, key=lambda one: get_int(get_object(one, "props"), "socket-id"))
        device: JsonObject = {"driver": get_str(place, "type"), "id": f"bare{number}", **get_object(place, "props")}
        seconds = machine.tell(monitor, "device_add", device, _sees_cpus(number))
    # The daemon has it taken off line while the manifest does not have it.
    machine.patch({"cpu": {"sockets": number}}, _sees_cpus(number))
    return seconds


def _memory(machine: Machine) -> list[Measure]:
    """By turns, as the guest's own time varies over a run."""
    _, total = machine.guest.sees()
    more, less = _sees_memory(total + SIZE // 1024), _sees_memory(total)
    change: JsonObject = {"path": "/machine/peripheral/virtiomem0", "property": "requested-size"}
    # The first time is the slowest by far, whoever asks.
    machine.patch({"memory": {"guest": "1280Mi"}}, more)
    machine.patch({"memory": {"guest": "256Mi"}}, less)
    plugs: tuple[list[float], list[float]] = ([], [])
    unplugs: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for _ in range(PLUGS):
            plugs[0].append(machine.patch({"memory": {"guest": "1280Mi"}}, more))
            unplugs[0].append(machine.patch({"memory": {"guest": "256Mi"}}, less))
        with machine.bare() as monitor:
            for _ in range(PLUGS):
                plugs[1].append(machine.tell(monitor, "qom-set", {**change, "value": SIZE}, more))
                unplugs[1].append(machine.tell(monitor, "qom-set", {**change, "value": 0}, less))
    return [_measure("plug 1 GiB until the guest sees it", *plugs), _measure("unplug it again", *unplugs)]


def _measure(name: str, ours: list[float], bare: list[float]) -> Measure:
    return Measure(name, fmean(ours) * 1000, "ms", fmean(bare) * 1000, f"mean of {len(ours)}")


def _sees_cpus(wanted: int) -> Seen:
    return lambda cpus, _: cpus == wanted


def _sees_memory(wanted: int) -> Seen:
    return lambda _, total: abs(total - wanted) < 32768
