import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.validation.volumes import check_volume_use, check_volumes
from solovirt.kit.json import convert

from ...samples import only, spec_causes


def found(*volumes: dict[str, object]) -> list[tuple[str, str]]:
    causes = Causes()
    named = [{"name": f"v{index}", **volume} for index, volume in enumerate(volumes)]
    check_volumes(causes, convert(named, list[Volume]), "v")
    return [(cause.field, cause.message) for cause in causes.found]


SEED = {"cloudInitNoCloud": {"userData": "x"}}


@pytest.mark.parametrize(
    "volume",
    [
        {"containerDisk": {"image": "quay.io/a/b:1", "path": "/disk/x.qcow2", "imagePullSecret": "s"}},
        {"persistentVolumeClaim": {"claimName": "a.b"}},
        {"dataVolume": {"name": "a"}},
        {"emptyDisk": {"capacity": "1Gi"}},
        {"hostDisk": {"path": "/var/data/disk.img", "type": "DiskOrCreate", "capacity": "1Gi"}},
        {"hostDisk": {"path": "/var/data/disk.img", "type": "Disk"}},
        {"cloudInitNoCloud": {"userData": "x" * 5000, "networkDataBase64": "aGk="}},
        {"cloudInitConfigDrive": {"secretRef": {"name": "s"}}},
        {"configMap": {"name": "c", "volumeLabel": "cfg"}},
        {"secret": {"secretName": "s", "optional": True}},
        {"ephemeral": {"persistentVolumeClaim": {"claimName": "c"}}},
        {"sysprep": {"configMap": {"name": "c"}}},
        {"sysprep": {"secret": {"name": "s"}}},
        {"downwardAPI": {"fields": [{"path": "a/b", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"downwardAPI": {"fields": [{"path": "a", "fieldRef": {"fieldPath": "metadata.annotations['a/b']"}}]}},
        {"downwardAPI": {"fields": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}]}},
        {"serviceAccount": {"serviceAccountName": "default"}},
        {"downwardMetrics": {}},
        {"hostDisk": {"path": "/dev/vg/lv", "type": "Disk", "shared": True}},
        {"persistentVolumeClaim": {"claimName": "a", "hotpluggable": True, "readOnly": True}},
        {"dataVolume": {"name": "a", "hotpluggable": True}},
    ],
)
def test_good_ones(volume: dict[str, object]) -> None:
    assert found(volume) == []


@pytest.mark.parametrize(
    ("volume", "field", "message"),
    [
        ({}, "v[0]", "v[0] must have exactly one source type set"),
        ({"emptyDisk": {"capacity": 1}, "dataVolume": {"name": "a"}}, "v[0]", "must have exactly one source type set"),
        ({"name": "A/b", "dataVolume": {"name": "a"}}, "v[0].name", "a lowercase RFC 1123 label"),
        ({"containerDisk": {"image": ""}}, "v[0].containerDisk.image", "Required value"),
        ({"containerDisk": {"image": "--help"}}, "v[0].containerDisk.image", "must be an image reference"),
        ({"containerDisk": {"image": "a", "path": "/"}}, "v[0].containerDisk.path", "must not point to root"),
        (
            {"containerDisk": {"image": "a", "path": "/disk/../../etc/passwd"}},
            "v[0].containerDisk.path",
            "must be an absolute path to a file without relative components",
        ),
        ({"containerDisk": {"image": "a", "path": "disk"}}, "v[0].containerDisk.path", "must be an absolute path"),
        ({"containerDisk": {"image": "a", "imagePullPolicy": "x"}}, "v[0].containerDisk.imagePullPolicy", "Always"),
        (
            {"persistentVolumeClaim": {"claimName": "../x"}},
            "v[0].persistentVolumeClaim.claimName",
            "a lowercase RFC 1123 subdomain",
        ),
        ({"dataVolume": {"name": ""}}, "v[0].dataVolume.name", "Required value"),
        ({"emptyDisk": {"capacity": "0"}}, "v[0].emptyDisk.capacity", "must be greater than zero"),
        ({"emptyDisk": {"capacity": "many"}}, "v[0].emptyDisk.capacity", "quantities must match"),
        ({"hostDisk": {"path": "", "type": "Disk"}}, "v[0].hostDisk.path", "is required for hostDisk volume"),
        ({"hostDisk": {"path": "a/b", "type": "Disk"}}, "v[0].hostDisk.path", "must be an absolute path"),
        ({"hostDisk": {"path": "/a/../b", "type": "Disk"}}, "v[0].hostDisk.path", "without relative components"),
        (
            {"hostDisk": {"path": "/a", "type": "File"}},
            "v[0].hostDisk.type",
            "v[0].hostDisk.type has invalid value 'File', allowed are 'Disk' or 'DiskOrCreate'",
        ),
        (
            {"hostDisk": {"path": "/a", "type": "Disk", "capacity": "1Gi"}},
            "v[0].hostDisk.capacity",
            "is allowed to pass only with v[0].hostDisk.type equal to 'DiskOrCreate'",
        ),
        (
            {"cloudInitNoCloud": {"userData": "x", "secretRef": {"name": "s"}}},
            "v[0].cloudInitNoCloud",
            "v[0].cloudInitNoCloud must have only one userdatasource set.",
        ),
        (
            {"cloudInitConfigDrive": {"networkData": "x", "networkDataBase64": "aGk="}},
            "v[0].cloudInitConfigDrive",
            "v[0].cloudInitConfigDrive must have only one networkdata source set.",
        ),
        (
            {"cloudInitNoCloud": {}},
            "v[0].cloudInitNoCloud",
            "must have at least one userdatasource or one networkdatasource set.",
        ),
        (
            {"cloudInitNoCloud": {"userDataBase64": "no base64"}},
            "v[0].cloudInitNoCloud.userDataBase64",
            "v[0].cloudInitNoCloud.userDataBase64 is not a valid base64 value.",
        ),
        ({"cloudInitNoCloud": {"secretRef": {"name": "A"}}}, "v[0].cloudInitNoCloud.secretRef.name", "subdomain"),
        ({"configMap": {"name": ""}}, "v[0].configMap.name", "Required value"),
        ({"configMap": {"name": "c", "volumeLabel": "a\nb"}}, "v[0].configMap.volumeLabel", "printable ASCII"),
        ({"secret": {"secretName": "/"}}, "v[0].secret.secretName", "subdomain"),
        (
            {"ephemeral": {"persistentVolumeClaim": {"claimName": ""}}},
            "v[0].ephemeral.persistentVolumeClaim.claimName",
            "Required value",
        ),
        ({"sysprep": {}}, "v[0].sysprep", "exactly one of configMap and secret must be set"),
        ({"sysprep": {"configMap": {"name": "/"}}}, "v[0].sysprep.configMap.name", "subdomain"),
        ({"sysprep": {"secret": {"name": ""}}}, "v[0].sysprep.secret.name", "Required value"),
        ({"serviceAccount": {}}, "v[0].serviceAccount.serviceAccountName", "Required value"),
        ({"memoryDump": {"claimName": "c"}}, "v[0].memoryDump", "set by the memorydump subresource alone"),
        ({"containerPath": {"path": "a"}}, "v[0].containerPath.path", "must be an absolute path"),
        ({"downwardAPI": {"volumeLabel": "\n"}}, "v[0].downwardAPI.volumeLabel", "printable ASCII"),
    ],
)
def test_each_problem_is_named(volume: dict[str, object], field: str, message: str) -> None:
    [(place, text)] = found(volume)
    assert place == field and message in text and text.startswith(field)


def test_names_are_unique_and_seeds_single() -> None:
    assert found({"name": "a", **SEED}, {"name": "a", "emptyDisk": {"capacity": 1}}) == [
        ("v[1].name", "v[1] and v[0] must not have the same Name.")
    ]
    assert found(SEED, {"cloudInitConfigDrive": {"userData": "x"}}) == [
        ("v[1]", "v must have max one cloudInitNoCloud or cloudInitConfigDrive volume set")
    ]


@pytest.mark.parametrize(
    ("volume", "name"),
    [
        ({"serviceAccount": {"serviceAccountName": "a"}}, "serviceAccount"),
        ({"downwardMetrics": {}}, "downwardMetric"),
    ],
)
def test_at_most_one(volume: dict[str, object], name: str) -> None:
    assert found(volume, volume) == [("v[1]", f"v must have max one {name} volume set")]


PATH = {"name": "v", "containerPath": {"path": "/data"}}
SHARED = {"filesystems": [{"name": "v", "virtiofs": {}}]}
MAPPED = "ContainerPath volume 'v' must be mapped to a filesystem, not a disk"
UNMATCHED = "ContainerPath volume 'v' must have a matching filesystem defined in spec.domain.devices.filesystems"
RESERVED = {"name": "v", "containerPath": {"path": "/var/run/kubevirt/x"}}


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"domain": {"devices": SHARED}}, []),
        ({}, [UNMATCHED]),
        ({"domain": {"devices": {"disks": [{"name": "v"}]}}}, [MAPPED, UNMATCHED]),
        ({"domain": {"devices": {**SHARED, "disks": [{"name": "v"}]}}}, [MAPPED]),
        (
            {"domain": {"devices": SHARED}, "volumes": [RESERVED]},
            ["ContainerPath volume 'v' uses reserved path prefix '/var/run/kubevirt'"],
        ),
    ],
)
def test_container_paths(changes: dict[str, object], messages: list[str]) -> None:
    collected = Causes()
    plain = {"domain": {"devices": {}}, "volumes": [PATH], **changes}
    check_volume_use(collected, convert(plain, VirtualMachineInstanceSpec), "spec")
    assert [cause.message.partition(": ")[2] for cause in collected.found] == messages


def test_utility_volumes() -> None:
    cause = only(spec_causes({"utilityVolumes": [{"name": "u", "claimName": "c", "type": "Backup"}]}))
    assert cause.field == "spec.utilityVolumes" and "can only be added via hotplug" in cause.message
