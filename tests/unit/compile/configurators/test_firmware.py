import msgspec
import pytest

from solovirt.compile.configurators import firmware
from solovirt.compile.context import Context
from solovirt.compile.render import pair
from solovirt.host.model.bindings import ACPITablesBinding, DiskImage, FirmwareBinding
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import context, lines, objects, run

EFI = "{domain: {firmware: {bootloader: {efi: {secureBoot: %s}}}, features: {smm: {}}}}"
TABLES = """
domain: {firmware: {acpi: {slicNameRef: slic}}}
volumes: [{name: slic, secret: {secretName: s}}]
"""


def replaced(text: str, **bindings: object) -> Context:
    ctx = context(text)
    return Context(ctx.spec, ctx.facts, msgspec.structs.replace(ctx.bindings, **bindings), ctx.layout)


def test_nothing_without_efi() -> None:
    for configurator in (firmware.flash, firmware.security, firmware.rom, firmware.tables):
        assert run(configurator) == []
    assert firmware.machine_props(context()) == []


def test_the_variables_are_written_and_the_code_is_not() -> None:
    nodes = objects(firmware.flash(context(EFI % "true")), "-blockdev")
    assert [node["node-name"] for node in nodes] == [
        "libvirt-pflash0-storage",
        "libvirt-pflash0-format",
        "libvirt-pflash1-storage",
        "libvirt-pflash1-format",
    ]
    assert [node.get("read-only") for node in nodes] == [None, True, None, False]
    assert nodes[0]["filename"] == "/usr/share/OVMF/OVMF_CODE_4M.ms.fd"
    assert all(node["driver"] in ("file", "raw") for node in nodes)


def test_a_qcow2_template_gets_no_backing_file_of_its_headers() -> None:
    image = DiskImage("/x/nvram.fd", "qcow2")
    bound = FirmwareBinding(code=DiskImage("/x/code.qcow2", "qcow2"), variables=image)
    nodes = objects(firmware.flash(replaced(EFI % "false", firmware=bound)), "-blockdev")
    assert [node.get("backing", "") for node in nodes] == ["", None, "", None]


@pytest.mark.parametrize("secure", ["true", "false"])
def test_flash_is_locked_where_the_firmware_needs_smm(secure: str) -> None:
    """With SMM on, also an unsecured guest gets the build that needs it, as KubeVirt prefers."""
    assert run(firmware.security, EFI % secure) == ["-global driver=cfi.pflash01,property=secure,value=on"]


def test_flash_is_open_without_smm() -> None:
    assert run(firmware.security, "{domain: {firmware: {bootloader: {efi: {secureBoot: false}}}}}") == []


def test_the_machine_names_both_chips() -> None:
    props = [pair(prop) for prop in firmware.machine_props(context(EFI % "true"))]
    assert props == ["pflash0=libvirt-pflash0-format", "pflash1=libvirt-pflash1-format"]


def test_a_rom_has_neither_chips_nor_variables() -> None:
    ctx = replaced(EFI % "false", firmware=FirmwareBinding(code=DiskImage("/x/snp.fd", "raw"), rom=True, secure=True))
    assert lines(firmware.rom(ctx)) == ["-bios /x/snp.fd"]
    assert lines([*firmware.flash(ctx), *firmware.security(ctx)]) == []
    assert firmware.machine_props(ctx) == []


def test_seabios_on_the_serial_port() -> None:
    text = "{domain: {firmware: {bootloader: {bios: {useSerial: %s}}}}}"
    assert [pair(prop) for prop in firmware.machine_props(context(text % "true"))] == ["graphics=off"]
    assert firmware.machine_props(context(text % "false")) == []


def test_seabios_needs_the_port() -> None:
    text = "{domain: {firmware: {bootloader: {bios: {useSerial: true}}}, devices: {autoattachSerialConsole: false}}}"
    with pytest.raises(Invalid, match="no serial port"):
        firmware.machine_props(context(text))


def test_efi_and_bios() -> None:
    with pytest.raises(Invalid, match="mutually exclusive"):
        run(firmware.flash, "{domain: {firmware: {bootloader: {efi: {secureBoot: false}, bios: {}}}}}")


def test_firmware_that_nobody_resolved() -> None:
    with pytest.raises(HostError, match="has not been resolved"):
        list(firmware.flash(replaced(EFI % "true", firmware=None)))


def test_tables() -> None:
    found = run(firmware.tables, TABLES)
    assert found == ["-acpitable sig=SLIC,file=/var/lib/solovirt/instances/test/slic.bin"]


def test_a_colon_would_be_a_second_file() -> None:
    ctx = replaced(TABLES, acpi_tables=ACPITablesBinding(slic="/a:b/slic.bin"))
    with pytest.raises(HostError, match="no colon"):
        list(firmware.tables(ctx))


def test_a_table_that_nobody_resolved() -> None:
    with pytest.raises(HostError, match='volume "slic"'):
        list(firmware.tables(replaced(TABLES, acpi_tables=None)))
