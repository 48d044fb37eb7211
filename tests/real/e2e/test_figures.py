"""Figures of real guests: Prometheus' tool looks at them, and at the examples; QEMU and the daemon die meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.hypervisor.meter import PATIENCE
from tests.support import system as systems
from tests.support import terminal
from tests.support.asgi import Loose
from tests.support.chaos import Busy
from tests.support.manifests import disk, small, tiny_disk, tiny_kernel, vm
from tests.support.system import EXAMPLES, VMIS, VMS, System, wait_until
from tests.unit.server.metrics.test_scrape import Samples, parsed

pytestmark = pytest.mark.real

RULES = EXAMPLES / "prometheus"
SHARED = 1.1
"""Seconds after which nobody gets an older measurement."""
LEAVE = b"\x1b[?1049l"


@pytest.fixture
def system(tiny: TinyImage) -> Iterator[System]:
    """Its daemon is killed here."""
    with systems.running(tiny=tiny) as started:
        yield started
        started.check_clean()


def promtool(*words: str, stdin: bytes = b"") -> str:
    program = shutil.which("promtool")
    assert program, "promtool is missing: scripts/test puts it on the PATH"
    done = subprocess.run([program, *words], input=stdin, capture_output=True, timeout=60)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def scrape(system: System) -> bytes:
    response = system.client.open("GET", "/metrics", accept="text/plain")
    return response.read()


def of(found: Samples, name: str, machine: str) -> dict[str, float]:
    """The samples of a machine, by what else their labels say."""
    shown = {}
    for (sample, labels), value in found.items():
        rest = {key: text for key, text in labels if key not in ("node", "namespace", "network")}
        if sample == name and rest.pop("name", "") == machine:
            shown[",".join(text for _, text in sorted(rest.items()))] = value
    return shown


def look(system: System, name: str, machine: str) -> dict[str, float]:
    return of(parsed(scrape(system).decode()), name, machine)


def guest() -> dict[str, object]:
    return vm(
        "guest",
        domain={"firmware": tiny_kernel()},
        disks=[disk("root")],
        volumes=[tiny_disk()],
        devices={"interfaces": [{"name": "default", "masquerade": {}}]},
        template={"networks": [{"name": "default", "pod": {}}]},
    )


def test_guests_in_figures(system: System) -> None:
    system.apply(guest())  # type: ignore[arg-type]
    system.apply(small("second"))
    system.wait_agent("guest")
    system.wait_printable("second", "Paused")
    wait_until(lambda: look(system, "kubevirt_vmi_network_receive_bytes_total", "guest"), 60, "the agent's counters")
    _check_scrape(system)
    _check_work_shows(system)
    _check_top(system)
    _check_a_qemu_that_hangs(system)
    _check_a_qemu_that_is_killed(system)
    _check_a_daemon_that_is_killed(system)
    _check_top_on_a_terminal(system)


def _check_scrape(system: System) -> None:
    text = scrape(system)
    said = promtool("check", "metrics", stdin=text)
    assert said == "", f"Prometheus' linter: {said}"
    found = parsed(text.decode())
    pid = system.qemu("guest")
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert of(found, "kubevirt_vmi_memory_resident_bytes", "guest")[""] == pytest.approx(resident, rel=0.1)
    total = int(system.sh("guest", "sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")) * 1024
    assert of(found, "kubevirt_vmi_memory_available_bytes", "guest")[""] == pytest.approx(total, rel=0.02)
    assert of(found, "kubevirt_vmi_memory_domain_bytes", "guest")[""] == 256 << 20
    assert of(found, "kubevirt_vmi_vcpu_seconds_total", "guest")["0,running"] > 0.5
    assert of(found, "kubevirt_vmi_memory_available_bytes", "second") == {}, "no guest runs in it"
    assert of(found, "solovirt_scrape_errors", "guest") == of(found, "solovirt_scrape_errors", "second") == {}
    assert of(found, "kubevirt_vm_info", "guest") == {"q35,running,running": 1}
    started = found["kubevirt_vmi_phase_transition_time_from_creation_seconds_count", frozenset({("phase", "Running")})]
    assert started == 2
    assert system.cli("metrics").out.splitlines()[0].startswith("# HELP kubevirt_")
    file = system.state.parent / "solovirt.prom"
    system.ok("metrics", "-f", str(file))
    promtool("check", "metrics", stdin=file.read_bytes())


def _check_work_shows(system: System) -> None:
    """What the guest reads and sends is what is counted."""
    traffic = "kubevirt_vmi_storage_read_traffic_bytes_total"
    before = look(system, traffic, "guest")["root"]
    sent = look(system, "kubevirt_vmi_network_transmit_packets_total", "guest")["default"]
    system.sh(
        "guest", "dd if=/dev/vda of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null || dd if=/dev/vda of=/dev/null"
    )
    system.sh("guest", "for i in 1 2 3 4 5; do ping -c 1 -W 1 10.0.2.1 || true; done")
    packets = "kubevirt_vmi_network_transmit_packets_total"
    wait_until(lambda: look(system, traffic, "guest").get("root", 0) - before >= 1 << 20, 60, "what was read")
    wait_until(lambda: look(system, packets, "guest").get("default", 0) > sent, 60, "what was sent")


def _check_top(system: System) -> None:
    system.sh("guest", "(timeout 90 sh -c 'while true; do true; done') > /dev/null 2>&1 &")

    def spinning() -> dict[str, Loose]:
        shown = json.loads(system.ok("top", "--once", "-o", "json"))
        machines = {machine["name"]: machine for machine in shown["items"]}
        assert set(machines) == {"guest", "second"}
        assert machines["second"]["cpu"]["vcpus"] == [0], "it stands still"
        cpu = machines["guest"]["cpu"]
        return machines if cpu["vcpus"][0] > 20 and cpu["percent"] > 10 else {}

    machines = wait_until(spinning, 60, "it spins")
    assert 10 << 20 < machines["guest"]["memory"]["guestUsed"] < 256 << 20
    events = system.ok("events", "--for", "vmi/guest").splitlines()
    assert events[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert any("Started" in line for line in events[1:]) and not any("second" in line for line in events)


def _check_a_qemu_that_hangs(system: System) -> None:
    """The others are measured all the same, in time; the kernel still knows what it uses."""
    pid = system.qemu("second")
    time.sleep(SHARED)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        found = parsed(scrape(system).decode())
        assert time.monotonic() - began < 10
        assert of(found, "kubevirt_vmi_memory_domain_bytes", "guest")
        assert not of(found, "kubevirt_vmi_memory_domain_bytes", "second")
        assert of(found, "kubevirt_vmi_memory_resident_bytes", "second")
        (reason,) = of(found, "solovirt_scrape_errors", "second")
        assert "did not answer" in reason
        time.sleep(SHARED)
        began = time.monotonic()
        scrape(system)
        assert time.monotonic() - began < PATIENCE, "it is left alone for a while"
    finally:
        os.kill(pid, signal.SIGCONT)
    system.ok("unpause", "second")
    system.ok("pause", "second")


def _check_a_qemu_that_is_killed(system: System) -> None:
    """Whoever scrapes meanwhile gets a whole answer; the machine is not in the next ones."""
    answers: list[bytes] = []
    busy = Busy(lambda: answers.append(scrape(system)))
    wait_until(lambda: len(answers) > 1, 60, "answers while all is well")
    uid = system.uid("second")
    os.kill(system.qemu("second"), signal.SIGKILL)
    wait_until(lambda: system.uid("second") != uid or system.phase("second") == "Failed", 60, "the death seen")
    count = len(answers)
    wait_until(lambda: len(answers) > count + 1, 60, "answers afterwards")
    busy.end()
    for answer in answers:
        assert of(parsed(answer.decode()), "kubevirt_vmi_memory_domain_bytes", "guest")
    system.delete(VMS, "second")
    assert look(system, "kubevirt_vmi_cpu_usage_seconds_total", "second") == {}


def _check_a_daemon_that_is_killed(system: System) -> None:
    """A scrape ends with its daemon; the next daemon measures the same machine."""
    pid, before = system.qemu("guest"), look(system, "kubevirt_vmi_cpu_usage_seconds_total", "guest")[""]
    taken: list[object] = []
    figures = "/apis/subresources.solovirt.io/v1/figures"
    busy = Busy(lambda: taken.append(scrape(system)), lambda: taken.append(system.client.get(figures)))
    time.sleep(0.5)
    system.kill()
    busy.end()
    system.start()
    assert system.qemu("guest") == pid
    assert look(system, "kubevirt_vmi_cpu_usage_seconds_total", "guest")[""] >= before
    system.wait_agent("guest", 60)


def _check_top_on_a_terminal(system: System) -> None:
    """A VM goes while top looks at it; then the daemon does: top says so and gives the terminal back."""
    system.apply(small("third"))
    system.wait_printable("third", "Paused")
    with terminal.running([*system.command, "top", "--interval", "1s"], system.environ) as screen:
        before = screen.modes()
        screen.expect(b"third")
        assert screen.modes() != before
        system.delete(VMS, "third")
        wait_until(lambda: system.find(VMIS, "third") is None, 60, "gone")
        screen.expect(b"1 running")
        system.kill()
        screen.expect(b"the daemon does not answer")
        screen.expect(LEAVE, 30)
        assert screen.process.wait(60) == 1
        screen.expect(b"error: ")
        assert screen.modes() == before
    system.start()
    with terminal.running([*system.command, "top", "--interval", "1s"], system.environ) as screen:
        screen.expect(b"guest")
        screen.process.send_signal(signal.SIGTERM)
        screen.expect(LEAVE)
        assert screen.process.wait(60) == 128 + signal.SIGTERM
    with terminal.running([*system.command, "top"], system.environ) as screen:
        screen.expect(b"guest")
        screen.send(b"q")
        assert screen.process.wait(60) == 0


def test_a_daemon_pays_for_prometheus_at_the_first_scrape_only() -> None:
    code = "import solovirt.server.daemon, sys; sys.exit('prometheus_client' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_examples_for_prometheus(tmp_path: Path) -> None:
    """examples/prometheus: the configuration, the rules, and what the rules make of what solovirt serves."""
    promtool("check", "config", str(RULES / "prometheus.yaml"))
    said = promtool("check", "rules", str(RULES / "rules.yaml"))
    assert "SUCCESS: 14 rules found" in said
    labels = '{node="n", namespace="default", name="web"}'
    tests = {
        "rule_files": [str(RULES / "rules.yaml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"kubevirt_vmi_memory_available_bytes{labels}", "values": "100x10"},
                    {"series": f"kubevirt_vmi_memory_usable_bytes{labels}", "values": "40x10"},
                    {"series": 'kubevirt_vm_info{namespace="default", name="web"}', "values": "1x10"},
                ],
                "promql_expr_test": [
                    {"expr": name, "eval_time": "5m", "exp_samples": [{"labels": name + shown, "value": value}]}
                    for name, shown, value in (
                        ("vmi:kubevirt_vmi_memory_used_bytes:sum", labels, 60),
                        ("kubevirt_vmi_memory_used_bytes", labels, 60),
                        ("kubevirt_number_of_vms", '{namespace="default"}', 1),
                    )
                ],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps(tests))
    promtool("test", "rules", str(file))
