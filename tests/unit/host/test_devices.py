"""Devices of a made-up host."""

from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.devices import GPU, Devices, HostDevice
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.host.devices import FILE, HostDevices, require
from solovirt.kit.errors import HostError

PERMITTED = """
permittedHostDevices:
  pciHostDevices:
  - {pciVendorSelector: "10DE:1EB8", resourceName: nvidia.com/T4, externalResourceProvider: true}
  mediatedDevices:
  - {mdevNameSelector: GRID T4-1Q, resourceName: nvidia.com/GRID_T4-1Q}
  usb:
  - {resourceName: kubevirt.io/storage, selectors: [{vendor: "46f4", product: "0001"}]}
  - {resourceName: kubevirt.io/pair, selectors: [{vendor: "1", product: "1"}, {vendor: "1", product: "2"}]}
"""


def wanted(*resources: str) -> VirtualMachineInstanceSpec:
    devices = [HostDevice(name=f"d{index}", device_name=name) for index, name in enumerate(resources)]
    return VirtualMachineInstanceSpec(domain=Domain(devices=Devices(host_devices=devices)))


class Host:
    """sysfs and /dev/vfio below a directory."""

    def __init__(self, base: Path) -> None:
        self.root = base / "root"
        self.state = base / "state"
        self.state.mkdir()
        (self.state / FILE).write_text(PERMITTED)
        self.devices = HostDevices(self.state, root=self.root)

    def pci(self, address: str, group: str = "7", driver: str = "vfio-pci", what: str = "10de:1eb8") -> None:
        device = self.root / "sys/bus/pci/devices" / address
        device.mkdir(parents=True)
        vendor, product = what.split(":")
        (device / "vendor").write_text(f"0x{vendor}\n")
        (device / "device").write_text(f"0x{product}\n")
        (device / "class").write_text("0x030200\n")
        if driver:
            (device / "driver").symlink_to(f"/sys/bus/pci/drivers/{driver}")
        if group:
            members = self.root / "sys/kernel/iommu_groups" / group / "devices"
            members.mkdir(parents=True, exist_ok=True)
            (device / "iommu_group").symlink_to(members.parent)
            (members / address).symlink_to(device)
            node = self.root / "dev/vfio" / group
            node.parent.mkdir(parents=True, exist_ok=True)
            node.touch()

    def usb(self, bus: int, number: int) -> None:
        device = self.root / f"sys/bus/usb/devices/{bus}-{number}"
        device.mkdir(parents=True)
        for name, text in (("idVendor", "46f4"), ("idProduct", "0001"), ("busnum", str(bus)), ("devnum", str(number))):
            (device / name).write_text(f"{text}\n")

    def mediated(self, name: str, kind: str = "GRID T4-1Q") -> None:
        folder = self.root / "sys/bus/mdev/devices" / name / "mdev_type"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{kind}\n")

    def lacks(self, *resources: str, taken: tuple[str, ...] = ()) -> str:
        spec = wanted(*resources)
        with pytest.raises(HostError) as caught:
            require(spec, self.devices.resolve(spec, taken))
        assert caught.value.reason == "HostDeviceMissing" and caught.value.hint
        return str(caught.value)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_card_that_is_ready(host: Host) -> None:
    host.pci("0000:01:00.0")
    spec = wanted("nvidia.com/T4")
    found = host.devices.resolve(spec)
    require(spec, found)
    assert (found["d0"].kind, found["d0"].address) == ("pci", "0000:01:00.0")
    assert list(host.devices.nodes(found.values())) == [Path("/dev/vfio/vfio"), Path("/dev/vfio/7")]


def test_each_gets_its_own(host: Host) -> None:
    host.pci("0000:01:00.0", group="7")
    host.pci("0000:02:00.0", group="8")
    found = host.devices.resolve(wanted("nvidia.com/T4", "nvidia.com/T4"))
    assert [one.address for one in found.values()] == ["0000:01:00.0", "0000:02:00.0"]
    assert host.devices.resolve(wanted("nvidia.com/T4"), ["0000:01:00.0"])["d0"].address == "0000:02:00.0"
    assert "every PCI device 10de:1eb8 is in use" in host.lacks(*["nvidia.com/T4"] * 3)


def test_one_that_is_ready_goes_first(host: Host) -> None:
    host.pci("0000:01:00.0", driver="nvidia", group="7")
    host.pci("0000:02:00.0", group="8")
    assert host.devices.resolve(wanted("nvidia.com/T4"))["d0"].address == "0000:02:00.0"


def test_what_a_card_lacks(host: Host) -> None:
    assert "this host has no PCI device 10de:1eb8 (lspci -nn" in host.lacks("nvidia.com/T4")
    host.pci("0000:01:00.0", driver="nvidia")
    found = host.lacks("nvidia.com/T4")
    assert 'is used by the host\'s driver "nvidia"' in found
    assert "driverctl set-override 0000:01:00.0 vfio-pci" in found


def test_no_iommu(host: Host) -> None:
    host.pci("0000:01:00.0", group="")
    assert "intel_iommu=on" in host.lacks("nvidia.com/T4")


def test_the_whole_group_goes_or_none_of_it(host: Host) -> None:
    host.pci("0000:01:00.0")
    host.pci("0000:01:00.1", driver="snd_hda_intel", what="10de:10f8")
    assert "driverctl set-override 0000:01:00.1 vfio-pci" in host.lacks("nvidia.com/T4")


def test_the_node_must_open(host: Host) -> None:
    host.pci("0000:01:00.0")
    (host.root / "dev/vfio/7").unlink()
    assert "/dev/vfio/7 cannot be opened" in host.lacks("nvidia.com/T4")


def test_names_that_nobody_permitted(host: Host) -> None:
    assert f"name it in {host.state / FILE}" in host.lacks("example.org/secret")
    (host.state / FILE).unlink()
    assert "may be given to guests" in host.lacks("nvidia.com/T4")


def test_mediated(host: Host) -> None:
    host.mediated("other", "GRID T4-2Q")
    assert "mdevctl" in host.lacks("nvidia.com/GRID_T4-1Q")
    host.mediated("53764d0e")
    found = host.devices.resolve(wanted("nvidia.com/GRID_T4-1Q"))["d0"]
    assert (found.kind, found.address) == ("mdev", "/sys/bus/mdev/devices/53764d0e")


def test_usb(host: Host) -> None:
    host.usb(1, 14)
    found = host.devices.resolve(wanted("kubevirt.io/storage"))
    assert found["d0"].address == "1-14"
    assert list(host.devices.nodes(found.values())) == [Path("/dev/bus/usb/001/014")]
    assert "stands for 2 USB devices" in host.lacks("kubevirt.io/pair")


def test_claims_have_no_driver_here(host: Host) -> None:
    spec = wanted()
    spec.domain.devices.gpus = [GPU(name="g", claim_name="c", request_name="r")]
    with pytest.raises(HostError, match="no driver for claims here"):
        require(spec, host.devices.resolve(spec))


@pytest.mark.parametrize("text", ["pciHostDevices: 3", "unknown: []", "a: [", "x" * (1 << 20) + ": 1"])
def test_a_file_that_is_wrong(host: Host, text: str) -> None:
    (host.state / FILE).write_text(text)
    with pytest.raises(HostError, match=FILE):
        host.devices.resolve(wanted("nvidia.com/T4"))
    assert host.devices.resolve(wanted()) == {}
