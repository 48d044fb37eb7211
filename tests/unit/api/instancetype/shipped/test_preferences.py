"""The tables of guests give what kubevirt/common-instancetypes has."""

from __future__ import annotations

from solovirt.api.instancetype.preference_rules import validate
from solovirt.api.instancetype.shipped.preferences import preferences
from solovirt.kit.json import to_json

ALL = {made.metadata.name: made for made in preferences()}


def test_a_linux_guest() -> None:
    assert to_json(ALL["debian"].spec) == {
        "annotations": {"vm.kubevirt.io/os": "linux"},
        "devices": {"preferredDiskBus": "virtio", "preferredInterfaceModel": "virtio", "preferredRng": {}},
        "firmware": {"preferredEfi": {"secureBoot": False}},
        "requirements": {"cpu": {"guest": 1}, "memory": {"guest": "512Mi"}},
    }


def test_a_windows_guest() -> None:
    spec = ALL["windows.11.virtio"].spec
    assert spec.devices is not None
    assert spec.features is not None
    assert (spec.devices.preferred_disk_bus, spec.devices.preferred_video_type) == ("virtio", "virtio")
    assert to_json(spec.firmware) == {"preferredEfi": {"secureBoot": True, "persistent": True}}
    assert to_json(spec.devices.preferred_tpm) == {"persistent": True}
    assert to_json(spec.clock) == {
        "preferredClockOffset": {"utc": {}},
        "preferredTimer": {
            "hpet": {"present": False},
            "hyperv": {},
            "pit": {"tickPolicy": "delay"},
            "rtc": {"tickPolicy": "catchup"},
        },
    }
    assert to_json(spec.requirements) == {"cpu": {"guest": 2}, "memory": {"guest": "4Gi"}}
    assert spec.preferred_termination_grace_period_seconds == 3600


def test_all_of_them() -> None:
    assert len(ALL) == 48
    assert all(validate(made, None) == [] for made in ALL.values())
    usual = {"alpine", "cirros", "fedora", "ubuntu", "rhel.7", "rhel.10", "sles", "opensuse.leap", "centos.stream10"}
    versions = ("10", "11", "2k16", "2k19", "2k22", "2k25")
    usual |= {f"windows.{version}{end}" for version in versions for end in ("", ".virtio")}
    assert usual <= set(ALL)
    assert ALL["rhel.9"].metadata.labels["instancetype.kubevirt.io/required-architecture"] == "amd64"
