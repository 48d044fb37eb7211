"""Devices of this host for guests: which names mean which of them, and whether one can be given away now.

Names come from a file in KubeVirt's shape (``spec.configuration.permittedHostDevices`` of its CR): only what it names
is ever given to a guest. Devices are found in sysfs (Linux Documentation/ABI/testing/sysfs-bus-{pci,usb,mdev}); nothing
is bound to another driver here: the hint says the command. Must not know machines that run; ``taken`` tells what they
have.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.meta import Model
from solovirt.host.model.bindings import HostDeviceBinding
from solovirt.kit import yaml
from solovirt.kit.errors import BadRequest, HostError

FILE = "permitted-devices.yaml"
"""In the state directory."""
_MAX_BYTES = 1 << 20
_SHORT = 4096
VFIO = "vfio-pci"


class PCIHostDevice(Model):
    """``pciVendorSelector`` is "10DE:1EB8"."""

    pci_vendor_selector: str
    resource_name: str
    external_resource_provider: bool | None = None


class MediatedHostDevice(Model):
    """``mdevNameSelector`` is the type's name ("GRID T4-1Q")."""

    mdev_name_selector: str
    resource_name: str
    external_resource_provider: bool | None = None


class USBSelector(Model):
    vendor: str
    product: str


class USBHostDevice(Model):
    resource_name: str
    selectors: list[USBSelector] = msgspec.field(default_factory=list)
    external_resource_provider: bool | None = None


class Permitted(Model):
    pci_host_devices: list[PCIHostDevice] = msgspec.field(default_factory=list)
    mediated_devices: list[MediatedHostDevice] = msgspec.field(default_factory=list)
    usb: list[USBHostDevice] = msgspec.field(default_factory=list)


class _Found(msgspec.Struct, frozen=True):
    """A device of the right kind; ``lacks`` and ``hint`` say why it cannot be given away as it is."""

    address: str
    lacks: str = ""
    hint: str = ""


class HostDevices:
    """``state`` is the daemon's state directory; ``root`` stands before /sys and /dev (tests)."""

    def __init__(self, state: Path, *, root: Path = Path("/")) -> None:
        self._file = state / FILE
        self._sys = root / "sys"
        self._vfio = root / "dev/vfio"

    def permitted(self) -> Permitted:
        """What may be given to guests; nothing without the file. Raises ``HostError`` for a file that is wrong."""
        try:
            with self._file.open("rb") as file:
                text = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return Permitted()
        except OSError as error:
            raise HostError(f"{self._file} cannot be read: {error.strerror}", reason="InvalidDevices") from error
        try:
            if len(text) > _MAX_BYTES:
                raise ValueError("larger than 1 MiB")
            documents = yaml.load_all(text, source=str(self._file))
            plain = documents[0].value if documents else {}
            if isinstance(plain, dict) and "permittedHostDevices" in plain:
                plain = plain["permittedHostDevices"]
            return msgspec.convert(plain or {}, Permitted)
        except (ValueError, BadRequest) as error:
            raise HostError(f"{self._file}: {error}", reason="InvalidDevices", hint="see docs/devices.md") from error

    def resolve(self, spec: VirtualMachineInstanceSpec, taken: Collection[str] = ()) -> dict[str, HostDeviceBinding]:
        """A binding for each gpus[] and hostDevices[], by name, also where there is no such device (``lacks``).

        ``taken`` are addresses that other guests have. Reads sysfs. Raises ``HostError`` for a wrong file.
        """
        devices = spec.domain.devices
        asked = [(gpu.name, gpu.device_name, gpu.claim_name) for gpu in devices.gpus]
        asked += [(one.name, one.device_name, one.claim_name) for one in devices.host_devices]
        if not asked:
            return {}
        permitted, gone = self.permitted(), set(taken)
        bound: dict[str, HostDeviceBinding] = {}
        for name, resource, claim in asked:
            if not resource:
                text = f'device "{name}" is asked for by the claim "{claim}", and there is no driver for claims here'
                bound[name] = HostDeviceBinding(name, "pci", "", lacks=text, hint="use deviceName")
                continue
            bound[name] = self._bind(name, resource, permitted, gone)
            gone.add(bound[name].address)
        return bound

    def nodes(self, bindings: Iterable[HostDeviceBinding]) -> Iterator[Path]:
        """The device files that QEMU opens for them."""
        for bound in bindings:
            match bound.kind if bound.address else "":
                case "pci" | "mdev":
                    base = Path(bound.address) if bound.kind == "mdev" else Path("/sys/bus/pci/devices", bound.address)
                    group = _link(self._sys / base.relative_to("/sys") / "iommu_group")
                    yield from (Path("/dev/vfio/vfio"), Path("/dev/vfio") / group)
                case "usb":
                    bus, number = map(int, bound.address.split("-"))
                    yield Path(f"/dev/bus/usb/{bus:03}/{number:03}")

    def _bind(self, name: str, resource: str, permitted: Permitted, gone: set[str]) -> HostDeviceBinding:
        for pci in permitted.pci_host_devices:
            if pci.resource_name == resource:
                what = f"PCI device {pci.pci_vendor_selector.lower()}"
                found = list(self._pci(pci.pci_vendor_selector.lower()))
                return _choose(name, "pci", resource, what, found, gone, "lspci -nn lists what there is")
        for mediated in permitted.mediated_devices:
            if mediated.resource_name == resource:
                what = f'mediated device of type "{mediated.mdev_name_selector}"'
                found = list(self._mediated(mediated.mdev_name_selector))
                return _choose(
                    name, "mdev", resource, what, found, gone, "mdevctl start makes one, mdevctl types lists"
                )
        for usb in permitted.usb:
            if usb.resource_name == resource:
                return self._bind_usb(name, usb, gone)
        text = f'device "{name}": no device of this host may be given to guests under the name "{resource}"'
        return HostDeviceBinding(name, "pci", "", lacks=text, hint=f"name it in {self._file}")

    def _bind_usb(self, name: str, usb: USBHostDevice, gone: set[str]) -> HostDeviceBinding:
        resource = usb.resource_name
        if len(usb.selectors) != 1:
            text = f'device "{name}": "{resource}" stands for {len(usb.selectors)} USB devices; a guest gets one a name'
            return HostDeviceBinding(name, "usb", "", lacks=text, hint="give each of them a resourceName of its own")
        selector = usb.selectors[0]
        what = f"USB device {selector.vendor.lower()}:{selector.product.lower()}"
        found = list(self._usb(selector.vendor.lower(), selector.product.lower()))
        return _choose(name, "usb", resource, what, found, gone, "lsusb lists what there is")

    def _pci(self, selector: str) -> Iterator[_Found]:
        for device in _entries(self._sys / "bus/pci/devices"):
            identity = f"{_hex(device / 'vendor')}:{_hex(device / 'device')}"
            if identity == selector:
                yield self._judged(device)

    def _judged(self, device: Path) -> _Found:
        address, group = device.name, _link(device / "iommu_group")
        if not group:
            text = f"{address} is in no IOMMU group: its memory accesses cannot be confined"
            return _Found(
                address, text, "turn the IOMMU on: VT-d or AMD-Vi in the firmware, intel_iommu=on for the kernel"
            )
        for member in _entries(device / "iommu_group/devices"):
            driver = _link(member / "driver")
            bridge = (_read(member / "class") or "").startswith("0x0604")
            if driver != VFIO and not bridge and (driver or member.name == address):
                text = f"{member.name} is used by " + (f'the host\'s driver "{driver}"' if driver else "no driver")
                return _Found(address, text, f"driverctl set-override {member.name} {VFIO}")
        if not os.access(self._vfio / group, os.R_OK | os.W_OK):
            return _Found(
                address, f"/dev/vfio/{group} cannot be opened", "modprobe vfio-pci, and run the daemon as root"
            )
        return _Found(address)

    def _mediated(self, name: str) -> Iterator[_Found]:
        base = self._sys / "bus/mdev/devices"
        for device in _entries(base):
            if _read(device / "mdev_type/name") == name:
                yield _Found(f"/sys/bus/mdev/devices/{device.name}")

    def _usb(self, vendor: str, product: str) -> Iterator[_Found]:
        for device in _entries(self._sys / "bus/usb/devices"):
            if _read(device / "idVendor") == vendor and _read(device / "idProduct") == product:
                bus, number = _read(device / "busnum"), _read(device / "devnum")
                if bus.isdecimal() and number.isdecimal():
                    yield _Found(f"{int(bus)}-{int(number)}")


def require(spec: VirtualMachineInstanceSpec, bindings: dict[str, HostDeviceBinding], *, prefix: str = "spec") -> None:
    """Raises ``HostError`` reason "HostDeviceMissing" for the first device that cannot be given to the guest."""
    devices = spec.domain.devices
    named = [(f"gpus[{index}]", gpu.name) for index, gpu in enumerate(devices.gpus)]
    named += [(f"hostDevices[{index}]", one.name) for index, one in enumerate(devices.host_devices)]
    for path, name in named:
        bound = bindings.get(name)
        if bound is not None and bound.lacks:
            field = f"{prefix}.domain.devices.{path}"
            raise HostError(bound.lacks, reason="HostDeviceMissing", field=field, hint=bound.hint)


def _choose(
    name: str, kind: str, resource: str, what: str, found: list[_Found], gone: set[str], listing: str
) -> HostDeviceBinding:
    """The first that can be given away; else the first that could be, with what it lacks."""
    note = f"{what}, which this host calls {resource}"
    if not found:
        text = f'device "{name}" ({resource}): this host has no {what}'
        return HostDeviceBinding(name, kind, "", note, text, listing)
    free = [device for device in found if device.address not in gone]
    if not free:
        text = f'device "{name}" ({resource}): every {what} is in use by another guest'
        return HostDeviceBinding(name, kind, "", note, text, "stop one of them")
    best = next((device for device in free if not device.lacks), free[0])
    lacks = f'device "{name}" ({resource}): {best.lacks}' if best.lacks else ""
    return HostDeviceBinding(name, kind, best.address, note, lacks, best.hint)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SHORT).decode(errors="replace").strip()
    except OSError:
        return ""


def _hex(path: Path) -> str:
    return _read(path).removeprefix("0x")


def _link(path: Path) -> str:
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""
