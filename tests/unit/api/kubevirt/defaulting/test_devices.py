"""What KubeVirt fills into devices."""

from __future__ import annotations

from solovirt.api.kubevirt.defaulting.devices import default_devices
from solovirt.api.kubevirt.spec.devices import (
    GPU,
    Devices,
    GPUDisplay,
    RamFB,
    VirtualGPUOptions,
    Watchdog,
    WatchdogDevice,
)


def test_a_watchdog_resets() -> None:
    devices = Devices(watchdog=Watchdog(name="dog"))
    default_devices(devices)
    assert devices.watchdog is not None and devices.watchdog.i6300esb == WatchdogDevice(action="reset")


def test_what_is_given_stays() -> None:
    devices = Devices(watchdog=Watchdog(name="dog", i6300esb=WatchdogDevice(action="poweroff")))
    default_devices(devices)
    assert devices.watchdog is not None and devices.watchdog.i6300esb == WatchdogDevice(action="poweroff")
    bare = Devices()
    default_devices(bare)
    assert bare == Devices()


def test_an_early_display_is_on() -> None:
    display = GPUDisplay(ram_fb=RamFB())
    default_devices(Devices(gpus=[GPU(name="g", virtual_gpu_options=VirtualGPUOptions(display=display))]))
    assert display == GPUDisplay(ram_fb=RamFB(enabled=True))
