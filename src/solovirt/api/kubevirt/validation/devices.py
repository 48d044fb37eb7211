"""Rules for the smaller devices, and what lists of devices have in common.

Source: kubevirt admitters/vmi-create-admitter.go, pkg/virt-api/webhooks/amd64.go, pkg/dra/admitter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solovirt.api.causes import INVALID, NOT_SUPPORTED, REQUIRED, Causes
from solovirt.api.kubevirt.spec.devices import GPU, Devices, HostDevice, Input
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.text import MAX_LENGTH, check_expression, check_printable

MAX_BOOT_ORDER = 2**31 - 1
MAX_HOST_DEVICES = 64
VIDEO_TYPES = ("vga", "cirrus", "virtio", "ramfb", "bochs")
PANIC_MODELS = ("hyperv", "isa", "pvpanic")
SOUND_MODELS = ("", "ich9", "ac97")
WATCHDOG_ACTIONS = ("poweroff", "reset", "shutdown")


def check_devices(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    place, devices = f"{field}.domain.devices", spec.domain.devices
    _check_inputs(causes, devices.inputs, f"{place}.inputs")
    _check_watchdog(causes, devices, f"{place}.watchdog")
    _check_video(causes, devices, f"{place}.video")
    _check_sound(causes, devices, f"{place}.sound")
    _check_panic_devices(causes, devices, f"{place}.panicDevices")
    _check_gpus(causes, devices.gpus, f"{place}.gpus")
    _check_host_devices(causes, devices.host_devices, f"{place}.hostDevices")
    names = [gpu.name for gpu in devices.gpus] + [device.name for device in devices.host_devices]
    check_same_names(causes, names, f"{place}.hostDevices", _in_two_lists(devices, place))
    _check_claims(causes, spec, field)


def check_count(causes: Causes, items: Sequence[object], field: str, most: int) -> None:
    if len(items) > most:
        causes.add("FieldValueTooMany", field, f"{field}: Too many: {len(items)}: must have at most {most} items")


def check_same_names(
    causes: Causes, names: Sequence[str], field: str, where: Callable[[int], str] | None = None
) -> None:
    """``where`` gives the path of an entry, where it is not ``field[index]``."""
    path = where or (lambda index: f"{field}[{index}]")
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            text = f"{path(index)} and {path(first[name])} must not have the same Name."
            causes.add(INVALID, f"{path(index)}.name", text)
        first.setdefault(name, index)


def check_boot_order_value(causes: Causes, order: int | None, field: str) -> None:
    """Of a disk and of an interface; QEMU's bootindex has 32 bits."""
    if order is not None and order < 1:
        causes.add(INVALID, f"{field}.bootOrder", f"{field} must have a boot order > 0, if supplied")
    elif order is not None and order > MAX_BOOT_ORDER:
        causes.invalid(f"{field}.bootOrder", order, f"must be less than or equal to {MAX_BOOT_ORDER}")


def _check_inputs(causes: Causes, inputs: list[Input], field: str) -> None:
    check_same_names(causes, [device.name for device in inputs], field)
    for index, device in enumerate(inputs):
        place = f"{field}[{index}]"
        check_expression(causes, device.name, f"{place}.name")
        if device.bus not in ("", "virtio", "usb"):
            text = f"{place}.bus: Input device can have only virtio or usb bus."
            causes.add(INVALID, f"{place}.bus", text)
        if device.type != "tablet":
            text = f"{place}.type: Input device can have only tablet type."
            causes.add(INVALID, f"{place}.type", text)


def _check_watchdog(causes: Causes, devices: Devices, field: str) -> None:
    watchdog = devices.watchdog
    if watchdog is None:
        return
    check_expression(causes, watchdog.name, f"{field}.name")
    if watchdog.diag288 is not None:
        causes.add(NOT_SUPPORTED, field, f"{field}: amd64 only supports I6300ESB watchdog device")
    action = watchdog.i6300esb.action if watchdog.i6300esb is not None else ""
    if action and action not in WATCHDOG_ACTIONS:
        causes.not_supported(f"{field}.i6300esb.action", action, WATCHDOG_ACTIONS)


def _check_video(causes: Causes, devices: Devices, field: str) -> None:
    video = devices.video
    if video is None:
        return
    if devices.autoattach_graphics_device is False:
        text = "Video configuration is not allowed when autoattachGraphicsDevice is set to false"
        causes.add(INVALID, field, f"{field}: {text}")
    if video.type not in VIDEO_TYPES:
        text = f"{field}.type: video model '{video.type}' is not supported on amd64 architecture"
        causes.add(NOT_SUPPORTED, f"{field}.type", text)


def _check_sound(causes: Causes, devices: Devices, field: str) -> None:
    sound = devices.sound
    if sound is None:
        return
    if sound.model not in SOUND_MODELS:
        text = "Sound device type is not supported. Options: 'ich9' or 'ac97'"
        causes.add(INVALID, f"{field}.model", f"{field}: {text}")
    if not sound.name:
        causes.add(INVALID, f"{field}.name", f"{field}: Sound device requires a name field.")
    else:
        check_expression(causes, sound.name, f"{field}.name")


def _check_panic_devices(causes: Causes, devices: Devices, field: str) -> None:
    seen: set[str] = set()
    for index, device in enumerate(devices.panic_devices):
        place, model = f"{field}[{index}].model", device.model or "isa"
        if model not in PANIC_MODELS:
            causes.add(INVALID, place, f"{place}: invalid PanicDeviceModel({model})")
        elif model in seen:
            causes.duplicate(place, model)
        seen.add(model)


def _check_gpus(causes: Causes, gpus: list[GPU], field: str) -> None:
    check_count(causes, gpus, field, MAX_HOST_DEVICES)
    for index, gpu in enumerate(gpus):
        _check_host_device(causes, gpu, f"{field}[{index}]", "GPU")
    claimed = [not gpu.device_name and bool(gpu.claim_name or gpu.request_name) for gpu in gpus]
    if any(claimed) and not all(claimed):
        text = "contains both DRA and non-DRA GPUs; each GPU must be either DRA or non-DRA"
        causes.add(INVALID, field, f"{field} {text}")
    if sum(_early_display(gpu) for gpu in gpus) > 1:
        text = "configuring multiple displays with ramfb is not valid"
        causes.add(INVALID, field, f"{field}: {text}")


def _early_display(gpu: GPU) -> bool:
    """A display that is described counts as enabled, and so does its ramfb, unless switched off."""
    display = gpu.virtual_gpu_options.display if gpu.virtual_gpu_options is not None else None
    if display is None or display.enabled is False:
        return False
    return display.ram_fb is None or display.ram_fb.enabled is not False


def _check_host_devices(causes: Causes, devices: list[HostDevice], field: str) -> None:
    check_count(causes, devices, field, MAX_HOST_DEVICES)
    for index, device in enumerate(devices):
        _check_host_device(causes, device, f"{field}[{index}]", "HostDevice")


def _check_host_device(causes: Causes, device: GPU | HostDevice, field: str, kind: str) -> None:
    check_expression(causes, device.name, f"{field}.name")
    check_printable(causes, device.device_name, f"{field}.deviceName", MAX_LENGTH)
    check_printable(causes, device.tag, f"{field}.tag", MAX_LENGTH)
    claimed = bool(device.claim_name or device.request_name)
    if device.device_name and claimed:
        causes.add(INVALID, field, f"{field} contains {kind}s with both deviceName and claimRequest")
    elif not device.device_name and not claimed:
        text = f"contains {kind}s without deviceName or claimRequest"
        each = f"each {kind} must specify either a deviceName or a claimRequest"
        causes.add(REQUIRED, field, f"{field} {text}; {each}")
    elif claimed:
        for name, value in (("claimName", device.claim_name), ("requestName", device.request_name)):
            if not value:
                causes.add(REQUIRED, f"{field}.{name}", f"{field}.{name}: {name} is required for DRA {kind}")


def _in_two_lists(devices: Devices, field: str) -> Callable[[int], str]:
    """GPUs and other host devices share one set of names; the path of the entry with a number in both together."""
    count = len(devices.gpus)
    return lambda index: f"{field}.gpus[{index}]" if index < count else f"{field}.hostDevices[{index - count}]"


def _check_claims(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """Claims of devices and networks refer to ``resourceClaims``, and no request is used twice."""
    devices, place = spec.domain.devices, f"{field}.domain.devices"
    used = [(f"{place}.gpus[{index}]", gpu.claim_name, gpu.request_name) for index, gpu in enumerate(devices.gpus)]
    used += [
        (f"{place}.hostDevices[{index}]", one.claim_name, one.request_name)
        for index, one in enumerate(devices.host_devices)
    ]
    used += [
        (f"{field}.networks[{index}]", network.resource_claim.claim_name, network.resource_claim.request_name)
        for index, network in enumerate(spec.networks)
        if network.resource_claim is not None
    ]
    seen: dict[str, str] = {}
    for path, claim, request in used:
        pair = f"{claim}/{request}"
        if claim and request and pair in seen:
            text = f'duplicate claimName/requestName pair "{pair}" between {seen[pair]} and {path}'
            causes.add("FieldValueDuplicate", path, text)
        seen.setdefault(pair, path)
    known = {claim.name for claim in spec.resource_claims}
    unknown = [claim for path, claim, _ in used if claim and claim not in known and not path.startswith(f"{field}.net")]
    if unknown:
        text = f"{field}.resourceClaims must specify all claims used in {place}.gpus and {place}.hostDevices"
        causes.add(INVALID, f"{field}.resourceClaims", text)
