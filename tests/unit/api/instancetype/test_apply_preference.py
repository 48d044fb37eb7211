"""Every preferred* field fills in what is unset, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.instancetype.apply_preference import apply
from solovirt.api.instancetype.preference import DevicePreferences, PreferenceSpec
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.meta import ObjectMeta
from solovirt.kit.json import JsonObject, clone, convert, get_object, to_object
from tests.unit.api.instancetype.samples import preference

HYPERV = ("relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "reenlightenment", "ipi", "evmcs")

Case = tuple[dict[str, object], dict[str, object], dict[str, object]]
AUTOATTACH = ("GraphicsDevice", "MemBalloon", "PodInterface", "SerialConsole", "InputDevice")
DISK: dict[str, object] = {"disks": [{"name": "d"}]}
AUTO: list[Case] = [({f"preferredAutoattach{name}": False}, {}, {f"autoattach{name}": False}) for name in AUTOATTACH]
CASES: list[Case] = [
    *AUTO,
    ({"preferredDisableHotplug": True}, {}, {"disableHotplug": True}),
    ({"preferredUseVirtioTransitional": True}, {}, {"useVirtioTransitional": True}),
    ({"preferredBlockMultiQueue": True}, {}, {"blockMultiQueue": True}),
    ({"preferredNetworkInterfaceMultiQueue": True}, {}, {"networkInterfaceMultiqueue": True}),
    ({"preferredRng": {}}, {}, {"rng": {}}),
    ({"preferredTPM": {"persistent": True}}, {}, {"tpm": {"persistent": True}}),
    ({"preferredVideoType": "virtio"}, {}, {"video": {"type": "virtio"}}),
    ({"preferredSoundModel": "ac97"}, {"sound": {"name": "s"}}, {"sound": {"name": "s", "model": "ac97"}}),
    ({"preferredSoundModel": "ac97"}, {}, {}),
    (
        {"preferredVirtualGPUOptions": {"display": {"enabled": False}}},
        {"gpus": [{"name": "g", "deviceName": "x/y"}]},
        {"gpus": [{"name": "g", "deviceName": "x/y", "virtualGPUOptions": {"display": {"enabled": False}}}]},
    ),
    (
        {"preferredInputBus": "virtio", "preferredInputType": "tablet"},
        {"inputs": [{"name": "i", "type": ""}]},
        {"inputs": [{"name": "i", "type": "tablet", "bus": "virtio"}]},
    ),
    ({"preferredDiskBus": "virtio"}, DISK, {"disks": [{"name": "d", "disk": {"bus": "virtio"}}]}),
    (
        {"preferredCdromBus": "scsi"},
        {"disks": [{"name": "d", "cdrom": {}}]},
        {"disks": [{"name": "d", "cdrom": {"bus": "scsi"}}]},
    ),
    (
        {"preferredLunBus": "scsi"},
        {"disks": [{"name": "d", "lun": {}}]},
        {"disks": [{"name": "d", "lun": {"bus": "scsi"}}]},
    ),
    ({"preferredDiskCache": "none"}, DISK, {"disks": [{"name": "d", "disk": {}, "cache": "none"}]}),
    ({"preferredDiskIO": "native"}, DISK, {"disks": [{"name": "d", "disk": {}, "io": "native"}]}),
    (
        {"preferredDiskBlockSize": {"matchVolume": {"enabled": True}}},
        DISK,
        {"disks": [{"name": "d", "disk": {}, "blockSize": {"matchVolume": {"enabled": True}}}]},
    ),
    (
        {"preferredDiskDedicatedIoThread": True, "preferredDiskBus": "virtio"},
        DISK,
        {"disks": [{"name": "d", "disk": {"bus": "virtio"}, "dedicatedIOThread": True}]},
    ),
    ({"preferredDiskDedicatedIoThread": True}, DISK, {"disks": [{"name": "d", "disk": {}}]}),
    (
        {"preferredInterfaceModel": "e1000e"},
        {"interfaces": [{"name": "n", "bridge": {}}]},
        {"interfaces": [{"name": "n", "bridge": {}, "model": "e1000e"}]},
    ),
    (
        {"preferredInterfaceMasquerade": {}},
        {"interfaces": [{"name": "pod"}, {"name": "multus"}]},
        {"interfaces": [{"name": "pod", "masquerade": {}}, {"name": "multus"}]},
    ),
    ({"preferredPanicDeviceModel": "isa"}, {}, {"panicDevices": [{"model": "isa"}]}),
    (
        {"preferredPanicDeviceModel": "isa"},
        {"panicDevices": [{}, {"model": "hyperv"}]},
        {"panicDevices": [{"model": "isa"}, {"model": "hyperv"}]},
    ),
]


def vmi(domain: dict[str, object]) -> VirtualMachineInstanceSpec:
    networks = [{"name": "pod", "pod": {}}, {"name": "multus", "multus": {"networkName": "x"}}]
    return convert({"domain": domain, "networks": networks}, VirtualMachineInstanceSpec)


def domain_after(liked: PreferenceSpec, domain: dict[str, object]) -> JsonObject:
    made = vmi(domain)
    apply(liked, made, ObjectMeta())
    return written(made)


def written(made: VirtualMachineInstanceSpec) -> JsonObject:
    """What the domain says, without the two parts that are always there."""
    whole = get_object(to_object(made), "domain")
    return {key: value for key, value in whole.items() if value or key not in ("devices", "resources")}


@pytest.mark.parametrize(("liked", "before", "after"), CASES, ids=lambda value: "+".join(value) or "-")
def test_device_preferences(liked: dict[str, object], before: dict[str, object], after: dict[str, object]) -> None:
    assert domain_after(preference(devices=liked), {"devices": before}) == ({"devices": after} if after else {})


def test_every_device_preference_has_a_case() -> None:
    names = {name for liked, _, _ in CASES for name in liked}
    assert names == set(DevicePreferences.__struct_encode_fields__)


@pytest.mark.parametrize(
    ("liked", "devices"),
    [
        ({"preferredDiskBus": "virtio"}, {"disks": [{"name": "d", "disk": {"bus": "sata"}}]}),
        ({"preferredTPM": {"persistent": True}}, {"tpm": {"enabled": False}}),
        ({"preferredVideoType": "virtio"}, {"video": {"type": "vga"}}),
        ({"preferredAutoattachInputDevice": True}, {"autoattachInputDevice": False}),
        ({"preferredDisableHotplug": True}, {"disableHotplug": False}),
        ({"preferredInterfaceModel": "virtio"}, {"interfaces": [{"name": "n", "model": "e1000"}]}),
        ({"preferredInterfaceMasquerade": {}}, {"interfaces": [{"name": "pod", "bridge": {}}]}),
        ({"preferredSoundModel": "ac97"}, {"sound": {"name": "s", "model": "ich9"}}),
    ],
)
def test_what_is_set_stays(liked: dict[str, object], devices: dict[str, object]) -> None:
    assert domain_after(preference(devices=liked), {"devices": devices}) == {"devices": devices}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("preferredAcpi", "acpi", {"enabled": False}),
        ("preferredApic", "apic", {"endOfInterrupt": True}),
        ("preferredKvm", "kvm", {"hidden": True}),
        ("preferredPvspinlock", "pvspinlock", {"enabled": True}),
        ("preferredSmm", "smm", {"enabled": True}),
        *[("preferredHyperv", "hyperv", {part: {"enabled": True}}) for part in HYPERV],
        ("preferredHyperv", "hyperv", {"spinlocks": {"spinlocks": 8191}}),
        ("preferredHyperv", "hyperv", {"synictimer": {"direct": {}}, "tlbflush": {"extended": {}}}),
        ("preferredHyperv", "hyperv", {"vendorid": {"vendorid": "me"}}),
    ],
)
def test_feature_preferences(name: str, field: str, value: dict[str, object]) -> None:
    liked = preference(features={name: value})
    assert domain_after(liked, {}) == {"features": {field: value}}
    own = {"hyperv": {key: {"enabled": False} for key in value}} if field == "hyperv" else {field: {}}
    assert domain_after(liked, {"features": own}) == {"features": own}


@pytest.mark.parametrize(
    ("liked", "before", "after"),
    [
        ({"preferredUseBios": True}, {}, {"bios": {}}),
        ({"preferredUseBios": False}, {}, {}),
        ({"preferredUseBios": True, "preferredUseBiosSerial": True}, {}, {"bios": {"useSerial": True}}),
        ({"preferredUseBios": True}, {"efi": {}}, {"efi": {}}),
        ({"preferredUseBiosSerial": True}, {"bios": {"useSerial": False}}, {"bios": {"useSerial": False}}),
        ({"preferredEfi": {"secureBoot": False}}, {}, {"efi": {"secureBoot": False}}),
        ({"preferredEfi": {"secureBoot": False}}, {"bios": {}}, {"bios": {}}),
        ({"preferredEfi": {}, "preferredUseSecureBoot": True}, {}, {"efi": {}}),
        ({"preferredUseEfi": True, "preferredUseSecureBoot": False}, {}, {"efi": {"secureBoot": False}}),
        ({"preferredUseSecureBoot": True}, {"efi": {}}, {"efi": {"secureBoot": True}}),
    ],
)
def test_firmware_preferences(liked: dict[str, object], before: dict[str, object], after: dict[str, object]) -> None:
    made = domain_after(preference(firmware=liked), {"firmware": {"bootloader": before}})
    assert made == {"firmware": {"bootloader": after}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"utc": {}, "timer": {"hpet": {"present": False}}}),
        ({"timezone": "Europe/Berlin"}, {"timezone": "Europe/Berlin", "timer": {"hpet": {"present": False}}}),
        ({"timer": {"rtc": {}}}, {"utc": {}, "timer": {"rtc": {}}}),
    ],
)
def test_clock_preferences(before: dict[str, object], after: dict[str, object]) -> None:
    liked = preference(clock={"preferredClockOffset": {"utc": {}}, "preferredTimer": {"hpet": {"present": False}}})
    assert domain_after(liked, {"clock": before}) == {"clock": after}


def test_cpu_features_are_added_by_name() -> None:
    liked = preference(cpu={"preferredCPUFeatures": [{"name": "a", "policy": "require"}, {"name": "b"}]})
    own = {"features": [{"name": "a", "policy": "disable"}]}
    assert domain_after(liked, {"cpu": own}) == {
        "cpu": {"features": [{"name": "a", "policy": "disable"}, {"name": "b"}]}
    }


def test_the_rest() -> None:
    liked = preference(
        machine={"preferredMachineType": "pc-q35-7.2"},
        preferredSubdomain="sub",
        preferredTerminationGracePeriodSeconds=7,
        preferredArchitecture="amd64",
        preferredLaunchSecurity={"snp": {}},
        annotations={"a": "1", "b": "2"},
    )
    made, meta = vmi({}), ObjectMeta(annotations={"a": "own"})
    apply(liked, made, meta)
    whole = to_object(made)
    assert whole["subdomain"] == "sub"
    assert whole["terminationGracePeriodSeconds"] == 7
    assert whole["architecture"] == "amd64"
    assert written(made) == {"machine": {"type": "pc-q35-7.2"}, "launchSecurity": {"snp": {}}}
    assert meta.annotations == {"a": "own", "b": "2"}
    own = vmi({"machine": {"type": "q35"}, "launchSecurity": {"sev": {}}})
    own.subdomain, own.termination_grace_period_seconds, own.architecture = "mine", 1, "arm64"
    before = clone(own)
    apply(liked, own, meta)
    assert own == before


@settings(max_examples=60, deadline=None)
@given(
    liked=st.lists(st.sampled_from(CASES), max_size=6),
    own=st.lists(st.sampled_from(CASES), max_size=4),
    firmware=st.sampled_from([{}, {"preferredUseBios": True}, {"preferredEfi": {}}, {"preferredUseEfi": True}]),
)
def test_applying_twice_is_applying_once(
    liked: list[Case],
    own: list[Case],
    firmware: dict[str, object],
) -> None:
    wanted: dict[str, object] = {}
    present: dict[str, object] = {}
    for case in liked:
        wanted.update(case[0])
    for case in own:
        present.update(case[1])
    chosen = preference(devices=wanted, firmware=firmware, features={"preferredHyperv": {"relaxed": {}}})
    made, meta = vmi({"devices": present}), ObjectMeta()
    apply(chosen, made, meta)
    once = clone(made)
    apply(chosen, made, meta)
    assert made == once
