import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.filesystems import NO_POD, check_filesystems
from solovirt.kit.json import convert

PLACE = "spec.domain.devices.filesystems"


def found(
    filesystems: list[dict[str, object]], volumes: list[dict[str, object]], disks: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    causes = Causes()
    devices = {"filesystems": filesystems, "disks": [{"name": name} for name in disks]}
    spec = convert({"domain": {"devices": devices}, "volumes": volumes}, VirtualMachineInstanceSpec)
    check_filesystems(causes, spec, "spec")
    return [(cause.field, cause.message) for cause in causes.found]


def shared(name: str) -> dict[str, object]:
    return {"name": name, "virtiofs": {}}


@pytest.mark.parametrize(
    "source",
    [
        {"configMap": {"name": "x"}},
        {"secret": {"secretName": "x"}},
        {"downwardAPI": {"fields": []}},
        {"serviceAccount": {"serviceAccountName": "x"}},
        {"persistentVolumeClaim": {"claimName": "x"}},
        {"dataVolume": {"name": "x"}},
    ],
)
def test_volumes_that_are_directories(source: dict[str, object]) -> None:
    assert found([shared("v")], [{"name": "v", **source}]) == []


@pytest.mark.parametrize(
    "source", [{"containerDisk": {"image": "x"}}, {"emptyDisk": {"capacity": "1Gi"}}, {"sysprep": {}}]
)
def test_volumes_that_are_not(source: dict[str, object]) -> None:
    [(field, message)] = found([shared("v")], [{"name": "v", **source}])
    assert field == f"{PLACE}[0].name"
    assert f"a {next(iter(source))} volume cannot be shared as a filesystem" in message


def test_a_pods_directory() -> None:
    volume: dict[str, object] = {"name": "v", "containerPath": {"path": "/var/run/secrets"}}
    assert found([shared("v")], [volume]) == [
        ("spec.volumes[0].containerPath", f"spec.volumes[0].containerPath: {NO_POD}")
    ]


def test_no_volume() -> None:
    assert found([shared("v")], []) == [(f"{PLACE}[0].name", f"{PLACE}[0].name 'v' not found.")]


def test_a_volume_is_a_disk_or_a_filesystem() -> None:
    [(field, message)] = found([shared("v")], [{"name": "v", "configMap": {"name": "x"}}], ("v",))
    assert field == f"{PLACE}[0].name" and "is a disk already" in message


def test_names() -> None:
    long = "a" * 37
    volumes: list[dict[str, object]] = [{"name": long, "configMap": {"name": "x"}}]
    assert "no more than 36 characters" in found([shared(long)], volumes)[0][1]
    twice = found([shared("v"), shared("v")], [{"name": "v", "configMap": {"name": "x"}}])
    assert twice[0][1] == f"{PLACE}[1] and {PLACE}[0] must not have the same Name."


def test_virtiofs_is_the_only_way() -> None:
    [(field, message)] = found([{"name": "v"}], [{"name": "v", "configMap": {"name": "x"}}])
    assert field == f"{PLACE}[0].virtiofs" and "Required value" in message
