import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.validation.devices import check_count, check_same_names

from ...samples import only, spec_causes

P = "spec.domain.devices"
DISK, CDROM = "domain.devices.disks[0]", "domain.devices.disks[1]"


@pytest.mark.parametrize(
    "changes",
    [
        {f"{DISK}.serial": "ABC_1.+-", f"{DISK}.cache": "none", f"{DISK}.io": "native", f"{DISK}.bootOrder": 1},
        {f"{DISK}.disk": {"bus": "usb"}},
        {f"{DISK}.disk": {"bus": "scsi", "readonly": True}},
        {f"{DISK}.disk.pciAddress": "0000:81:01.0"},
        {
            "domain.devices.disks[2]": {"name": "iso", "cdrom": {"bus": "scsi", "tray": "open"}},
            "volumes[2]": {"name": "iso", "emptyDisk": {"capacity": 1}},
        },
        {"domain.devices.inputs": [{"name": "tablet", "type": "tablet", "bus": "virtio"}]},
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({f"{DISK}.disk.bus": "ide"}, f"{P}.disks[0].disk.bus", "IDE bus is not supported"),
        (
            {"domain.devices.disks[2]": {"name": "empty", "cdrom": {}}},
            f"{P}.disks[2].name",
            "'empty' is a CD-ROM drive without a volume: known to KubeVirt, not supported yet",
        ),
        (
            {f"{DISK}.disk.bus": "nvme"},
            f"{P}.disks[0].disk.bus",
            f"{P}.disks[0] is set with an unrecognized bus 'nvme', must be one of: [virtio scsi sata usb]",
        ),
        (
            {f"{DISK}.disk": {"bus": "sata", "readonly": True}},
            f"{P}.disks[0].disk.bus",
            "sata hard-disks do not support read-only.",
        ),
        ({f"{CDROM}.cdrom.bus": "virtio"}, f"{P}.disks[1].cdrom.bus", "Bus type virtio is invalid for CD-ROM device"),
        ({f"{CDROM}.cdrom.tray": "ajar"}, f"{P}.disks[1].cdrom.tray", 'Unsupported value: "ajar"'),
        ({f"{CDROM}.cdrom.readonly": False}, f"{P}.disks[1].cdrom.readonly", "a CD-ROM is always read-only"),
        ({f"{CDROM}.disk": {"bus": "scsi"}}, f"{P}.disks[1]", "can only have a single target type defined"),
        ({f"{DISK}.serial": "a,b"}, f"{P}.disks[0].serial", "must be made up of the following characters"),
        ({f"{DISK}.serial": "x" * 300}, f"{P}.disks[0].serial", "must be less than or equal to 256 in length"),
        ({f"{DISK}.cache": "unsafe"}, f"{P}.disks[0].cache", f"{P}.disks[0].cache has invalid value 'unsafe'"),
        ({f"{DISK}.io": "uring"}, f"{P}.disks[0].io", "is not supported. Supported modes are: native, threads."),
        ({f"{DISK}.bootOrder": 0}, f"{P}.disks[0].bootOrder", f"{P}.disks[0] must have a boot order > 0, if supplied"),
        (
            {f"{DISK}.bootOrder": 2, "domain.devices.interfaces[0].bootOrder": 2},
            f"{P}.interfaces[0].bootOrder",
            f"Boot order for {P}.interfaces[0].bootOrder already set for a different device.",
        ),
        (
            {"domain.devices.disks[2]": {"name": "none", "disk": {"bus": "virtio"}}},
            f"{P}.disks[2].name",
            f"{P}.disks[2].name 'none' not found.",
        ),
        (
            {"domain.devices.disks[2]": {"name": "root", "disk": {"bus": "virtio"}}},
            f"{P}.disks[2].name",
            f"{P}.disks[2] and {P}.disks[0] must not have the same Name.",
        ),
        (
            {"domain.devices.disks[2]": {"name": "../x", "cdrom": {}}},
            f"{P}.disks[2].name",
            "a lowercase RFC 1123 label must consist of",
        ),
        (
            {f"{DISK}.disk": {"bus": "scsi", "pciAddress": "0000:81:01.0"}},
            f"{P}.disks[0].disk.pciAddress",
            "setting a PCI address is only possible with bus type virtio.",
        ),
        ({f"{DISK}.disk.pciAddress": "1"}, f"{P}.disks[0].disk.pciAddress", "has malformed PCI address ('1')."),
        (
            {"domain.devices.inputs": [{"name": "k", "type": "keyboard"}]},
            f"{P}.inputs[0].type",
            "Input device can have only tablet type.",
        ),
        (
            {"domain.devices.inputs": [{"name": "k", "type": "tablet", "bus": "ps2"}]},
            f"{P}.inputs[0].bus",
            "Input device can have only virtio or usb bus.",
        ),
        ({"domain.devices.inputs": [{"name": "a,b", "type": "tablet"}]}, f"{P}.inputs[0].name", "Invalid value"),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message
    assert P in cause.message


def test_lists_are_bounded() -> None:
    causes = Causes()
    check_count(causes, range(3), "f", 3)
    assert causes.found == []
    check_count(causes, range(4), "f", 3)
    assert causes.found[0].message == "f: Too many: 4: must have at most 3 items"


def test_every_repeated_name_points_to_the_first() -> None:
    causes = Causes()
    check_same_names(causes, ["a", "b", "a", "a"], "f")
    assert [cause.message for cause in causes.found] == [
        "f[2] and f[0] must not have the same Name.",
        "f[3] and f[0] must not have the same Name.",
    ]
