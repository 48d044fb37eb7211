from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.host import equipment, facts
from solovirt.host.model.bindings import Pins
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths
from tests.unit.compile.helpers import spec_of

TEXT = """
domain:
  firmware: {bootloader: {efi: {secureBoot: false}}}
  devices: {tpm: {}, filesystems: [{name: c, virtiofs: {}}]}
volumes: [{name: c, configMap: {name: c}}]
"""


class Store:
    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return None

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return {"colour": b"blue"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", tmp_path / "run")


def vmi(text: str = TEXT) -> VirtualMachineInstance:
    return VirtualMachineInstance(metadata=ObjectMeta(name="x", namespace="default", uid="u"), spec=spec_of(text))


async def test_prepared_is_as_planned(paths: Paths, tmp_path: Path) -> None:
    template = tmp_path / "vars"
    template.write_bytes(b"x")
    known = facts.load("qemu-7.2")
    kinds = tuple(msgspec.structs.replace(kind, variables=str(template)) for kind in known.firmware)
    known = msgspec.structs.replace(known, firmware=kinds)
    planned = equipment.planned(vmi(), known, paths, "key", Pins())
    assert not paths.state.exists()
    made = await equipment.prepare(vmi(), known, paths, "key", Pins(), Store(), None)
    assert (made.firmware, made.acpi_tables, made.filesystems) == (planned.firmware, None, planned.filesystems)
    assert made.tpm_state == paths.instance("u") / "tpm"


@pytest.mark.parametrize(("name", "field"), [("swtpm", "tpm"), ("virtiofsd", "filesystems")])
async def test_a_program_that_is_missing(paths: Paths, name: str, field: str) -> None:
    known = facts.load("qemu-7.2")
    helpers = {other: path for other, path in known.helpers.items() if other != name}
    with pytest.raises(HostError, match=f"{name}, needed for") as error:
        await equipment.prepare(
            vmi(), msgspec.structs.replace(known, helpers=helpers), paths, "key", Pins(), Store(), None
        )
    assert error.value.field == f"spec.domain.devices.{field}" and error.value.hint.startswith("apt install")
    assert not paths.state.exists()
