from __future__ import annotations

import pytest

from solovirt.api.kubevirt.live import devices
from solovirt.api.kubevirt.spec.devices import Devices, Filesystem, VirtioFS, Watchdog, WatchdogDevice
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import ConfigMapSource, Volume
from solovirt.kit.json import clone

Spec = VirtualMachineInstanceSpec


def spec(*names: str, volumes: list[str] | None = None, config: str = "c", **more: object) -> Spec:
    shared = [Filesystem(name=name, virtiofs=VirtioFS()) for name in names]
    sources = names if volumes is None else volumes
    return Spec(
        domain=Domain(devices=Devices(filesystems=shared, **more)),  # type: ignore[arg-type]
        volumes=[Volume(name=name, config_map=ConfigMapSource(name=config)) for name in sources],
    )


def dog(action: str = "reset", name: str = "dog") -> Watchdog:
    return Watchdog(name=name, i6300esb=WatchdogDevice(action=action))


def follows(wanted: Spec, running: Spec) -> bool:
    merged = clone(running)
    devices.take(wanted, merged)
    again = clone(merged)
    devices.take(wanted, again)
    assert again == merged
    return merged == wanted


@pytest.mark.parametrize(
    ("wanted", "running"),
    [
        (("a", "b"), ("a",)),
        (("b", "a"), ("a",)),
        (("b",), ("a", "b")),
        (("c",), ("a", "b")),
        ((), ("a",)),
        (("a",), ()),
    ],
)
def test_filesystems_come_and_go_with_their_volumes(wanted: tuple[str, ...], running: tuple[str, ...]) -> None:
    assert follows(spec(*wanted), spec(*running))


def test_what_does_not_change() -> None:
    assert not follows(spec("a", config="other"), spec("a")), "another source"
    assert not follows(spec("a", "b", disable_hotplug=True), spec("a", disable_hotplug=True))
    assert not follows(spec("a", "b", volumes=["a"]), spec("a")), "a filesystem without its volume"
    assert follows(spec(volumes=["a"]), spec("a")), "the volume stays for another use"


def test_the_watchdogs_action_changes() -> None:
    assert follows(spec(watchdog=dog("poweroff")), spec(watchdog=dog()))
    assert follows(spec(watchdog=dog("poweroff"), disable_hotplug=True), spec(watchdog=dog(), disable_hotplug=True))


def test_a_watchdog_goes_and_comes() -> None:
    assert follows(spec(), spec(watchdog=dog()))
    assert follows(spec(watchdog=dog()), spec())
    assert follows(spec(watchdog=dog(name="other")), spec(watchdog=dog()))
    assert not follows(spec(disable_hotplug=True), spec(watchdog=dog(), disable_hotplug=True))
    assert not follows(spec(watchdog=Watchdog(name="dog", diag288=WatchdogDevice())), spec(watchdog=dog()))
