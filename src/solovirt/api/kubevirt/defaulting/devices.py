"""Defaults of the smaller devices. Source: kubevirt pkg/defaults/amd64.go, api/core/v1/defaults.go."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.devices import Devices, WatchdogDevice

WATCHDOG_ACTION = "reset"


def default_devices(devices: Devices) -> None:
    """The watchdog's model and action; a virtual GPU's early display where its display is described."""
    watchdog = devices.watchdog
    if watchdog is not None:
        watchdog.i6300esb = watchdog.i6300esb or WatchdogDevice()
        watchdog.i6300esb.action = watchdog.i6300esb.action or WATCHDOG_ACTION
    for gpu in devices.gpus:
        display = gpu.virtual_gpu_options.display if gpu.virtual_gpu_options is not None else None
        if display is not None and display.ram_fb is not None and display.ram_fb.enabled is None:
            display.ram_fb.enabled = True
