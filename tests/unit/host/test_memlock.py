import resource

import msgspec
import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import memlock
from solovirt.kit.errors import HostError


def spec(domain: dict[str, object]) -> VirtualMachineInstanceSpec:
    return msgspec.convert({"domain": domain}, VirtualMachineInstanceSpec)


@pytest.mark.parametrize(
    ("domain", "field"),
    [
        ({}, ""),
        ({"memory": {"reservedOverhead": {"memLock": "NotRequired"}}}, ""),
        ({"memory": {"reservedOverhead": {"memLock": "Required"}}}, "domain.memory.reservedOverhead.memLock"),
        ({"cpu": {"realtime": {}}}, "domain.cpu.realtime"),
        ({"launchSecurity": {"sev": {}}}, "domain.launchSecurity"),
        ({"devices": {"gpus": [{"name": "g", "deviceName": "a/b"}]}}, "domain.devices.gpus"),
        ({"devices": {"hostDevices": [{"name": "g", "deviceName": "a/b"}]}}, "domain.devices.hostDevices"),
        ({"devices": {"interfaces": [{"name": "n", "masquerade": {}}]}}, ""),
        ({"devices": {"interfaces": [{"name": "n", "sriov": {}}]}}, "domain.devices.interfaces"),
    ],
)
def test_who_needs_it(domain: dict[str, object], field: str) -> None:
    assert memlock.reason(spec(domain)) == field


def test_a_daemon_that_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (8 << 20, 8 << 20))
    monkeypatch.setattr(resource, "setrlimit", refused)
    memlock.check(spec({}))
    with pytest.raises(HostError) as caught:
        memlock.check(spec({"cpu": {"realtime": {}}}))
    assert caught.value.field == "spec.domain.cpu.realtime" and "LimitMEMLOCK" in caught.value.hint


def test_the_limit_is_left_as_it_was() -> None:
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    memlock.may_lock()
    assert resource.getrlimit(resource.RLIMIT_MEMLOCK) == before


def test_no_limit_is_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, resource.RLIM_INFINITY))
    assert memlock.may_lock()
