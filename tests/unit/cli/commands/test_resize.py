"""``solovirt cpu`` and ``solovirt memory`` against a server whose machine follows, refuses or does nothing."""

from __future__ import annotations

import pytest

from solovirt.cli.commands import resize
from solovirt.kit.jsontypes import Json, JsonObject, get_object
from tests.support.apiserver import Answer, FakeApi, Request, status
from tests.unit.cli.conftest import Run

BASE = "/apis/kubevirt.io/v1/namespaces/default/"
VMS, VMIS = BASE + "virtualmachines", BASE + "virtualmachineinstances"
RESOURCES = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/resources"
GIB = 1 << 30
REFUSED: JsonObject = {"status": "False", "reason": "UnplugRefused", "message": "the guest keeps \x1b[31mall"}


class Machine:
    """``obeys``: the machine becomes what its spec says at once; ``says``: a condition that it tells once it was
    changed; ``lone``: there is no VM."""

    def __init__(self, api: FakeApi) -> None:
        self.lone, self.runs, self.obeys = False, True, True
        self.domain: JsonObject = {"cpu": {"sockets": 2}, "memory": {"guest": "1Gi"}}
        self.sockets, self.memory = 2, "1Gi"
        self.says: JsonObject = {}
        self.before: JsonObject = {}
        self.vm_conditions: list[Json] = []
        self.guest: Json = None
        self.patches: list[Json] = []
        self.rivals: list[JsonObject] = []
        """What others write right after a change."""
        self.observed = True
        for plural in (VMS, VMIS):
            api.on("GET", plural, self._list)
            api.on("GET", f"{plural}/a", self._get)
            api.on("PATCH", f"{plural}/a", self._patch)
        api.on("GET", RESOURCES, lambda r: Answer(self._sizes()))

    def _found(self, path: str) -> JsonObject | None:
        if path.startswith(VMIS):
            return self._vmi() if self.runs else None
        return None if self.lone else self._vm()

    def _vm(self) -> JsonObject:
        told: JsonObject = {"desiredGeneration": 2 if self.observed else 1, "conditions": self.vm_conditions}
        spec: JsonObject = {"template": {"spec": {"domain": self.domain}}}
        return {"metadata": {"name": "a", "resourceVersion": "7", "generation": 2}, "spec": spec, "status": told}

    def _vmi(self) -> JsonObject:
        memory: JsonObject = {"guestCurrent": self.memory, "guestRequested": self.memory}
        told: JsonObject = {"phase": "Running", "currentCPUTopology": {"sockets": self.sockets}, "memory": memory}
        said = self.says if self.patches else self.before
        told["conditions"] = [{"type": kind, **said} for kind in ("HotVCPUChange", "HotMemoryChange") if said]
        now: JsonObject = {"cpu": {"sockets": self.sockets}, "memory": {"guest": self.memory}}
        return {"metadata": {"name": "a"}, "spec": {"domain": now}, "status": told}

    def _sizes(self) -> JsonObject:
        return {
            "cpu": {"requested": self.sockets, "plugged": self.sockets, "guest": self.guest},
            "memory": {"requested": 2 * GIB, "plugged": 2 * GIB, "guest": self.guest},
        }

    def _get(self, request: Request) -> Answer:
        found = self._found(request.path)
        return Answer(found) if found is not None else status(404, "NotFound", "no such thing")

    def _list(self, request: Request) -> Answer:
        if "watch" in request.query:
            return Answer([])
        found = self._found(request.path)
        return Answer({"metadata": {"resourceVersion": "7"}, "items": [found] if found is not None else []})

    def _patch(self, request: Request) -> Answer:
        assert isinstance(request.body, dict)
        self.patches.append(request.body["spec"])
        spec = get_object(request.body, "spec")
        change = get_object(spec if self.lone else get_object(get_object(spec, "template"), "spec"), "domain")
        for wish in (change, *self.rivals):
            self.domain = {**self.domain, **wish}
        self.rivals = []
        if self.obeys:
            self.sockets = int(str(get_object(self.domain, "cpu").get("sockets")))
            self.memory = str(get_object(self.domain, "memory").get("guest"))
        return self._get(request)


@pytest.fixture
def machine(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(resize, "_SETTLED", 0.05)
    monkeypatch.setattr(resize, "_OBSERVED", 0.3)
    monkeypatch.setattr(resize, "_SEEN", 0.05)
    return Machine(api)


def sockets(number: Json) -> JsonObject:
    return {"template": {"spec": {"domain": {"cpu": {"sockets": number}}}}}


def test_what_there_is(machine: Machine, run: Run) -> None:
    assert [line.split() for line in run("cpu", "a").out.splitlines()] == [
        ["VCPUS", "REQUESTED", "PLUGGED", "SEEN", "BY", "THE", "GUEST"],
        ["a", "2", "2", "-"],
    ]
    assert run("memory", "a").out.splitlines()[1].split() == ["a", "2Gi", "2Gi", "-"]
    assert not machine.patches


def test_sockets_change_and_the_guest_has_them(machine: Machine, run: Run) -> None:
    result = run("cpu", "a", "--sockets", "4")
    assert result.code == 0, result.err
    assert result.out.splitlines()[1].split() == ["a", "4", "4", "-"]
    assert machine.patches == [sockets(4)]


@pytest.mark.parametrize("amount", ["2Gi", "2048Mi"])
def test_memory_changes(machine: Machine, run: Run, amount: str) -> None:
    assert run("memory", "a", amount).code == 0
    assert machine.patches == [{"template": {"spec": {"domain": {"memory": {"guest": amount}}}}}]


def test_a_vmi_without_a_vm(machine: Machine, run: Run) -> None:
    machine.lone = True
    assert run("cpu", "a", "--sockets", "3").code == 0
    assert machine.patches == [{"domain": {"cpu": {"sockets": 3}}}]


def test_what_stands_there_already(machine: Machine, run: Run) -> None:
    assert run("cpu", "a", "--sockets", "2").out == "a has that already\n"
    assert not machine.patches


def test_nobody_waits(machine: Machine, run: Run) -> None:
    machine.obeys = False
    assert run("memory", "a", "2Gi", "--no-wait").out == "a edited\n"
    machine.runs = False
    assert run("memory", "a", "3Gi").out == "a edited; it counts from the next start\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["memory", "a", "lots"], '"lots" is no amount'),
        (["memory", "a", "0"], "at least 1 is needed"),
        (["cpu", "a", "--sockets", "0"], "at least 1 is needed"),
        (["cpu", "a", "--sockets", "-1"], "at least 1 is needed"),
    ],
)
def test_amounts_that_make_no_sense(machine: Machine, run: Run, words: list[str], said: str) -> None:
    result = run(*words)
    assert result.code != 0 and said in result.err
    assert not machine.patches


def test_a_refusal_takes_the_wish_back(machine: Machine, run: Run) -> None:
    machine.obeys, machine.says = False, REFUSED
    result = run("cpu", "a", "--sockets", "4")
    assert result.code == 1
    assert "the guest keeps" in result.err and "\x1b[31m" not in result.err
    assert "the manifest is as before" in result.err and "--keep" in result.err
    assert machine.patches == [sockets(4), sockets(2)]


def test_a_wish_where_there_was_none_goes_again(machine: Machine, run: Run) -> None:
    machine.obeys, machine.says, machine.domain = False, REFUSED, {}
    assert run("cpu", "a", "--sockets", "4").code == 1
    assert machine.patches == [sockets(4), sockets(None)]


def test_keep(machine: Machine, run: Run) -> None:
    machine.obeys, machine.says = False, REFUSED
    result = run("cpu", "a", "--sockets", "4", "--keep")
    assert result.code == 1 and "as before" not in result.err
    assert machine.patches == [sockets(4)]


def test_what_somebody_else_wished_for_meanwhile_stays(machine: Machine, run: Run) -> None:
    machine.obeys, machine.says = False, REFUSED
    machine.rivals = [{"cpu": {"sockets": 3}}]
    assert run("cpu", "a", "--sockets", "4").code == 1
    assert machine.patches == [sockets(4)]


def test_an_old_refusal_is_not_about_this_change(machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resize, "_SETTLED", 60.0)
    machine.obeys, machine.before, machine.says = False, REFUSED, REFUSED
    result = run("cpu", "a", "--sockets", "4", "--timeout", "300ms")
    assert "a: not done after 0.3 s" in result.err and "the guest keeps" not in result.err
    assert machine.patches == [sockets(4)], "who waits no longer has not been refused"


def test_the_same_refusal_again_is_about_it(machine: Machine, run: Run) -> None:
    machine.obeys, machine.before, machine.says = False, REFUSED, REFUSED
    assert "the guest keeps" in run("cpu", "a", "--sockets", "4", "--timeout", "5s").err


def test_what_it_waits_for_is_told(machine: Machine, run: Run) -> None:
    machine.obeys = False
    machine.says = {"status": "True", "reason": "Paused", "message": "waits until the guest runs"}
    result = run("memory", "a", "2Gi", "--timeout", "300ms")
    assert result.code == 1
    assert "a: not done after 0.3 s: waits until the guest runs" in result.err


def test_a_restart_is_needed(machine: Machine, run: Run) -> None:
    machine.obeys, machine.vm_conditions = False, [{"type": "RestartRequired", "status": "True"}]
    result = run("cpu", "a", "--sockets", "99")
    assert result.code == 1
    assert "counts from the next start" in result.err and "solovirt restart a" in result.err
    assert machine.patches == [sockets(99)]


def test_a_restart_that_is_needed_for_something_else(machine: Machine, run: Run) -> None:
    machine.vm_conditions = [{"type": "RestartRequired", "status": "True"}]
    assert run("cpu", "a", "--sockets", "4").code == 0


def test_a_change_that_was_not_looked_at_yet_needs_no_restart(machine: Machine, run: Run) -> None:
    machine.observed, machine.vm_conditions = False, [{"type": "RestartRequired", "status": "True"}]
    machine.obeys = False
    assert "not done" in run("cpu", "a", "--sockets", "4", "--timeout", "600ms").err


def test_a_guest_that_does_not_use_it_is_shown(machine: Machine, run: Run) -> None:
    machine.guest = 1
    result = run("cpu", "a", "--sockets", "4")
    assert result.code == 0 and result.out.splitlines()[1].split() == ["a", "4", "4", "1"]


def test_unknown_names(machine: Machine, run: Run) -> None:
    machine.lone, machine.runs = True, False
    assert run("cpu", "a", "--sockets", "4").code == 1
