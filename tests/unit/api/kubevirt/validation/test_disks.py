"""Rules for disks and I/O threads."""

import pytest

from ...samples import REMOVED, only, spec_causes

P = "spec.domain.devices"
DISK, CDROM = "domain.devices.disks[0]", "domain.devices.disks[1]"
CLAIM = {"name": "root", "persistentVolumeClaim": {"claimName": "root"}}
LUN = {f"{DISK}.disk": REMOVED, f"{DISK}.lun": {"bus": "scsi"}}
METRICS = {"name": "root", "downwardMetrics": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {f"{DISK}.serial": "ABC_1.+-", f"{DISK}.cache": "none", f"{DISK}.io": "native", f"{DISK}.bootOrder": 1},
        {f"{DISK}.disk": {"bus": "usb"}},
        {f"{DISK}.disk": {"bus": "scsi", "readonly": True}},
        {f"{DISK}.disk.pciAddress": "0000:81:01.0"},
        {"domain.devices.disks[2]": {"name": "empty", "cdrom": {}}},
        {f"{CDROM}.cdrom.readonly": False},
        {**LUN, f"{DISK}.lun.readonly": True, f"{DISK}.lun.reservation": True, "volumes[0]": CLAIM},
        {**LUN, "volumes[0]": {"name": "root", "dataVolume": {"name": "root"}}},
        {**LUN, "volumes[0]": {"name": "root", "hostDisk": {"path": "/dev/sdz", "type": "Disk"}}},
        {"volumes[0]": METRICS},
        {f"{DISK}.errorPolicy": "enospace", f"{DISK}.shareable": True, f"{DISK}.tag": "data"},
        {f"{DISK}.blockSize": {"custom": {"logical": 512, "physical": 4096, "discardGranularity": 1024}}},
        {f"{DISK}.blockSize": {"custom": {"logical": 4096, "physical": 4096}, "matchVolume": {"enabled": False}}},
        {f"{DISK}.blockSize": {"matchVolume": {}}},
        {f"{DISK}.dedicatedIOThread": True, "domain.ioThreadsPolicy": "auto"},
        {"domain.ioThreadsPolicy": "supplementalPool", "domain.ioThreads": {"supplementalPoolThreadCount": 4}},
        {
            "domain.devices.disks[2]": {"name": "iso", "cdrom": {"bus": "scsi", "tray": "open"}},
            "volumes[2]": {"name": "iso", "emptyDisk": {"capacity": 1}},
        },
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({f"{DISK}.disk.bus": "ide"}, f"{P}.disks[0].disk.bus", "IDE bus is not supported"),
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
        ({f"{CDROM}.disk": {"bus": "scsi"}}, f"{P}.disks[1]", "can only have a single target type defined"),
        ({f"{DISK}.serial": "a,b"}, f"{P}.disks[0].serial", "must be made up of the following characters"),
        ({f"{DISK}.serial": "x" * 300}, f"{P}.disks[0].serial", "must be less than or equal to 256 in length"),
        ({f"{DISK}.cache": "unsafe"}, f"{P}.disks[0].cache", f"{P}.disks[0].cache has invalid value 'unsafe'"),
        ({f"{DISK}.io": "uring"}, f"{P}.disks[0].io", "is not supported. Supported modes are: native, threads."),
        (
            {f"{DISK}.io": "native", f"{DISK}.cache": "writeback"},
            f"{P}.disks[0].io",
            'native needs cache "none", here it is "writeback"',
        ),
        (
            {
                f"{DISK}.disk.bus": "sata",
                f"{DISK}.blockSize": {"custom": {"logical": 512, "physical": 4096, "discardGranularity": 4096}},
            },
            f"{P}.disks[0].blockSize.custom.discardGranularity",
            "Discard granularity 4096 must be 512 for SATA devices",
        ),
        ({f"{DISK}.errorPolicy": "retry"}, f"{P}.disks[0].errorPolicy", 'errorPolicy has invalid value "retry"'),
        (
            {f"{DISK}.shareable": True, f"{DISK}.cache": "writeback"},
            f"{P}.disks[0].cache",
            "a sharable disk requires cache = none got: writeback",
        ),
        ({f"{DISK}.changedBlockTracking": True}, f"{P}.disks[0].changedBlockTracking", "for VM backups only"),
        ({f"{DISK}.tag": "a\nb"}, f"{P}.disks[0].tag", "control characters"),
        (
            {f"{DISK}.lun": {"bus": "scsi"}, "volumes[0]": CLAIM},
            f"{P}.disks[0]",
            "can only have a single target type defined",
        ),
        (
            LUN,
            f"{P}.disks[0].lun",
            f"{P}.disks[0].lun can only be mapped to a DataVolume or PersistentVolumeClaim volume.",
        ),
        (
            {f"{DISK}.disk": REMOVED, f"{DISK}.cdrom": {}, "volumes[0]": METRICS},
            f"{P}.disks[0].disk",
            f"DownwardMetrics volume must be mapped to a disk, but disk is not set on {P}.disks[0].disk.",
        ),
        (
            {f"{DISK}.disk": {}, "volumes[0]": METRICS},
            f"{P}.disks[0].disk.bus",
            f"DownwardMetrics volume must be mapped to virtio bus, but {P}.disks[0].disk.bus is set to 'sata'",
        ),
        (
            {f"{CDROM}.dedicatedIOThread": True},
            f"{P}.disks[1].dedicatedIOThread",
            "IOThreads are not supported for disks on a sata bus",
        ),
        (
            {f"{DISK}.disk": {}, f"{DISK}.dedicatedIOThread": True},
            f"{P}.disks[0].dedicatedIOThread",
            "IOThreads are not supported for disks on a sata bus",
        ),
        *(
            ({f"{DISK}.blockSize": {"custom": size}}, f"{P}.disks[0].blockSize.custom.{name}", message)
            for size, name, message in (
                ({"logical": 4096, "physical": 512}, "logical", "must be the same or less than the physical size of"),
                ({"logical": 256, "physical": 512}, "logical", "less than the supported minimum size of 512"),
                ({"logical": 512, "physical": 4194304}, "physical", "greater than the supported maximum size of"),
                ({"logical": 512, "physical": 1000}, "physical", "Provided size of 1000 is not a power of 2"),
                ({"logical": 512, "physical": 512, "discardGranularity": 700}, "discardGranularity", "multiples of"),
            )
        ),
        (
            {f"{CDROM}.blockSize": {"custom": {"logical": 4096, "physical": 4096}}},
            f"{P}.disks[1].blockSize.custom.logical",
            "Logical size 4096 must be 512 for SATA devices",
        ),
        (
            {f"{DISK}.blockSize": {"custom": {"logical": 512, "physical": 512}, "matchVolume": {}}},
            f"{P}.disks[0].blockSize",
            "Block size matching can't be enabled together with a custom value",
        ),
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
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message
    assert P in cause.message


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"domain.ioThreadsPolicy": "many"}, "ioThreadsPolicy", "Invalid IOThreadsPolicy (many)"),
        (
            {"domain.ioThreadsPolicy": "supplementalPool"},
            "ioThreads.supplementalPoolThreadCount",
            "the number of iothreads needs to be set and positive for the dedicated policy",
        ),
        (
            {"domain.ioThreads": {"supplementalPoolThreadCount": 5000}},
            "ioThreads.supplementalPoolThreadCount",
            "must be between 1 and 1024",
        ),
    ],
)
def test_io_threads(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == f"spec.domain.{field}" and message in cause.message


def test_the_chipset_has_six_sata_ports() -> None:
    drives = {f"domain.devices.disks[{index}]": {"name": f"d{index}", "cdrom": {}} for index in range(2, 9)}
    causes = spec_causes(drives)
    assert [cause.field for cause in causes] == [f"{P}.disks[7]", f"{P}.disks[8]"]
    assert "the machine has 6 SATA ports" in causes[0].message
