from pathlib import Path

from solovirt.host import qemu_probe
from solovirt.host.model.facts import CPUModel, MachineType
from solovirt.kit.json import JsonObject

SCHEMA: list[JsonObject] = [
    {"name": "netdev_add", "meta-type": "command", "arg-type": "7"},
    {
        "name": "7",
        "meta-type": "object",
        "tag": "type",
        "members": [{"name": "id", "type": "str"}, {"name": "type", "type": "9"}],
    },
    {"name": "9", "meta-type": "enum", "values": ["none", "nic", "user", "tap"]},
]


def test_machine_types_by_name_with_alias_and_deprecation() -> None:
    found = qemu_probe.machine_types(
        [
            {"name": "pc-q35-7.2", "alias": "q35", "cpu-max": 288, "deprecated": False},
            {"name": "pc-i440fx-1.4", "cpu-max": 255, "deprecated": True},
        ]
    )

    assert found == [
        MachineType("pc-i440fx-1.4", cpu_max=255, deprecated=True),
        MachineType("pc-q35-7.2", alias="q35", cpu_max=288),
    ]


def test_cpu_models_name_each_missing_feature_once() -> None:
    found = qemu_probe.cpu_models([{"name": "EPYC", "unavailable-features": ["b", "a", "b"]}, {"name": "max"}])

    assert found == [CPUModel("EPYC", missing=("a", "b")), CPUModel("max")]


def test_netdev_kinds_come_from_the_schema() -> None:
    assert qemu_probe.netdev_kinds(SCHEMA) == {"user", "tap"}
    assert qemu_probe.netdev_kinds([]) == frozenset()


def test_the_command_line_starts_no_machine() -> None:
    argv = qemu_probe.argv(Path("/q"), "tcg", 5)

    assert argv[0] == "/q"
    assert "none,accel=tcg" in argv
    assert "socket,id=qmp,fd=5" in argv


def test_cpu_features_are_the_boolean_properties_that_are_not_switches() -> None:
    props: JsonObject = {"aes": True, "vmx": False, "level": 13, "vendor": "AuthenticAMD", "check": True, "x-y": True}
    assert qemu_probe.cpu_features({"model": {"name": "max", "props": props}}) == {"aes": True, "vmx": False}
    assert qemu_probe.cpu_features({}) == {}
