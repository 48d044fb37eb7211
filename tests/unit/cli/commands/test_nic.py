from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, Request, status
from tests.unit.cli.conftest import Run

BASE = "/apis/kubevirt.io/v1/namespaces/default/"
VMS, VMIS = BASE + "virtualmachines", BASE + "virtualmachineinstances"
SPEC: JsonObject = {"domain": {"devices": {"autoattachPodInterface": False}}}
DONE: JsonObject = {"name": "default", "linkState": "up", "mac": "02:00:00:00:00:01", "ipAddresses": ["10.0.2.2"]}


class Machine:
    """A VM "a" of a server that answers with what it was told, and says of its NICs what ``shown`` says."""

    def __init__(self, api: FakeApi, *, running: bool = True) -> None:
        self.spec: JsonObject = {"template": {"spec": SPEC}}
        self.shown: list[Json] = []
        self.conditions: list[Json] = []
        self.vm_conditions: list[Json] = []
        self.running = running
        self.patches: list[JsonObject] = []
        self.conflicts = 0
        api.on("GET", f"{VMS}/a", lambda r: Answer(self.vm()))
        api.on("GET", f"{VMIS}/a", lambda r: Answer(self.vmi()) if self.running else status(404, "NotFound", "no"))
        api.on("GET", VMS, lambda r: self._list(r, self.vm()))
        api.on("GET", VMIS, lambda r: self._list(r, self.vmi()))
        api.on("PATCH", f"{VMS}/a", self._patch)

    def vm(self) -> JsonObject:
        told: JsonObject = {"desiredGeneration": 2, "conditions": self.vm_conditions}
        return {"metadata": {"name": "a", "resourceVersion": "7", "generation": 2}, "spec": self.spec, "status": told}

    def vmi(self) -> JsonObject:
        told: JsonObject = {"phase": "Running", "interfaces": self.shown, "conditions": self.conditions}
        return {"metadata": {"name": "a"}, "spec": SPEC, "status": told}

    def _list(self, request: Request, item: JsonObject) -> Answer:
        return (
            Answer([]) if "watch" in request.query else Answer({"metadata": {"resourceVersion": "7"}, "items": [item]})
        )

    def _patch(self, request: Request) -> Answer:
        assert isinstance(request.body, dict)
        if self.conflicts:
            self.conflicts -= 1
            return status(409, "Conflict", "changed meanwhile")
        self.patches.append(request.body)
        spec = request.body["spec"]
        assert isinstance(spec, dict)
        self.spec = spec
        return Answer(self.vm())


@pytest.fixture
def machine(api: FakeApi) -> Machine:
    return Machine(api)


def condition(reason: str, message: str) -> JsonObject:
    return {"type": "NetworkChange", "status": "False", "reason": reason, "message": message}


def test_one_is_added_and_seen(machine: Machine, run: Run) -> None:
    machine.shown = [DONE]
    machine.conflicts = 1
    result = run("nic", "add", "a", "--model", "igb", "--mac", "02:00:00:00:00:01", "--down")
    assert (result.code, result.out) == (0, "a: default is plugged in\n"), result.err
    nic = {"name": "default", "masquerade": {}, "model": "igb", "macAddress": "02:00:00:00:00:01", "state": "down"}
    spec = {"domain": {"devices": {"interfaces": [nic]}}, "networks": [{"name": "default", "pod": {}}]}
    assert machine.patches == [{"metadata": {"resourceVersion": "7"}, "spec": {"template": {"spec": spec}}}]


def test_the_name_of_an_attachment(machine: Machine, run: Run) -> None:
    assert run("nic", "add", "a", "--network", "ns/lan", "--no-wait").out == "a edited\n"
    [patch] = machine.patches
    assert '"name": "lan", "multus": {"networkName": "ns/lan"}' in str(patch).replace("'", '"')


def test_what_was_refused_is_told(machine: Machine, run: Run) -> None:
    machine.conditions = [condition("Other", "interface other: no")]
    machine.shown = [DONE]
    assert run("nic", "add", "a").code == 0, "it is about another one"
    machine.spec, machine.shown = {"template": {"spec": SPEC}}, []
    machine.conditions = []
    result = run("nic", "add", "a", "--timeout", "50ms")
    assert result.code == 1 and "a: not done after 0.05 s" in result.err


def test_a_restart_is_needed(machine: Machine, run: Run) -> None:
    machine.vm_conditions = [{"type": "RestartRequired", "status": "True"}]
    result = run("nic", "add", "a")
    assert result.code == 1
    assert "counts from the next start" in result.err and "solovirt restart a" in result.err


def test_links(machine: Machine, run: Run) -> None:
    machine.spec = {"template": {"spec": {"domain": {"devices": {"interfaces": [{"name": "default", "bridge": {}}]}}}}}
    machine.shown = [{**DONE, "linkState": "down"}]
    assert run("nic", "down", "a", "default").out == "a: the link of default is down\n"
    assert "'state': 'down'" in str(machine.patches[0])
    assert run("nic", "up", "a", "eth7").code == 1


def test_one_is_removed_in_two_steps(machine: Machine, run: Run) -> None:
    machine.spec = {"template": {"spec": {"domain": {"devices": {"interfaces": [{"name": "default", "bridge": {}}]}}}}}
    assert run("nic", "rm", "a", "default").code == 0
    assert "'state': 'absent'" in str(machine.patches[0])
    assert "'interfaces': []" in str(machine.patches[1])
    assert "'autoattachPodInterface': False" in str(machine.patches[1])


def test_a_machine_that_does_not_run(api: FakeApi, run: Run) -> None:
    machine = Machine(api, running=False)
    assert "counts from the next start" in run("nic", "add", "a").out
    assert run("nic", "rm", "a", "default").out == "a: default is removed\n"
    assert len(machine.patches) == 2


def test_the_list(machine: Machine, run: Run) -> None:
    machine.spec = {"template": {"spec": {"domain": {"devices": {}}}}}
    machine.shown = [{**DONE, "interfaceName": "eth0\x1b[2J"}, {"interfaceName": "docker0"}]
    lines = run("nic", "ls", "a").out.splitlines()
    assert lines[0].split()[:4] == ["NAME", "NETWORK", "MODEL", "LINK"]
    assert lines[1].split() == ["default", "pod", "virtio", "up", "02:00:00:00:00:01", "10.0.2.2", "eth0", "[2J"]
    assert len(lines) == 2


def test_nobody_of_that_name(run: Run) -> None:
    assert run("nic", "ls", "nobody").code == 1
