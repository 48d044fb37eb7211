from collections.abc import Mapping
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import acpi
from solovirt.host.kept import Places
from solovirt.host.model.bindings import ACPITablesBinding
from solovirt.kit.errors import HostError, NotFound
from solovirt.kit.json import convert
from tests.unit.compile.helpers import spec_of

TABLE = b"SLIC" + bytes(40)


class Store:
    def __init__(self, **secrets: Mapping[str, bytes]) -> None:
        self._secrets = secrets

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return self._secrets.get(name)

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        raise AssertionError("nobody asked for a ConfigMap")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "i", tmp_path / "v")


def spec(**tables: str) -> VirtualMachineInstanceSpec:
    value = {
        "domain": {"firmware": {"acpi": tables}},
        "volumes": [{"name": "vol", "secret": {"secretName": "licence"}}],
    }
    return convert(value, VirtualMachineInstanceSpec)


def test_none(places: Places) -> None:
    assert acpi.prepare(spec_of(""), "default", Store(), places) is None
    assert not places.instance.exists()


def test_files_that_only_their_owner_reads(places: Places) -> None:
    store = Store(licence={"slic.bin": TABLE, "msdm.bin": TABLE + b"m"})
    found = acpi.prepare(spec(slicNameRef="vol", msdmNameRef="vol"), "default", store, places)
    assert found == acpi.plan(spec(slicNameRef="vol", msdmNameRef="vol"), places)
    assert found == ACPITablesBinding(slic=str(places.instance / "slic.bin"), msdm=str(places.instance / "msdm.bin"))
    assert Path(found.msdm).read_bytes() == TABLE + b"m"
    assert Path(found.slic).stat().st_mode & 0o777 == 0o600


def test_a_single_key_of_any_name_will_do(places: Places) -> None:
    assert acpi.prepare(spec(slicNameRef="vol"), "default", Store(licence={"x": TABLE}), places) is not None


def test_a_secret_that_is_not_there_or_says_nothing(places: Places) -> None:
    with pytest.raises(NotFound, match='secret "licence" not found'):
        acpi.prepare(spec(slicNameRef="vol"), "default", Store(), places)
    with pytest.raises(NotFound, match=r"has no key slic\.bin"):
        acpi.prepare(spec(slicNameRef="vol"), "default", Store(licence={"a": b"", "b": b""}), places)


@pytest.mark.parametrize("data", [b"", b"short", bytes(70_000)])
def test_what_is_no_table(places: Places, data: bytes) -> None:
    with pytest.raises(HostError, match="holds no ACPI table") as error:
        acpi.prepare(spec(slicNameRef="vol"), "default", Store(licence={"slic.bin": data}), places)
    assert error.value.field == "spec.domain.firmware.acpi.slicNameRef"
