"""Root ports stand where they always stand."""

from __future__ import annotations

from solovirt.compile.configurators import ports
from tests.unit.compile.helpers import context, objects

NIC = "domain: {{devices: {{interfaces: [{{name: a, model: {}, masquerade: {{}}}}]}}}}"


def test_places() -> None:
    found = objects(ports.options(context(NIC.format("virtio"))))
    assert [port["id"] for port in found] == [f"pci.{n}" for n in range(1, len(found) + 1)]
    assert [port["addr"] for port in found[:2]] == ["0x2", "0x2.0x1"]
    assert found[0] == {
        "driver": "pcie-root-port", "port": 16, "chassis": 1, "id": "pci.1", "bus": "pcie.0", "addr": "0x2",
        "multifunction": True,
    }  # fmt: skip


def test_the_ninth_port_begins_a_slot() -> None:
    disks = ", ".join(f"{{name: d{i}, disk: {{bus: virtio}}}}" for i in range(9))
    found = objects(ports.options(context(f"domain: {{devices: {{disks: [{disks}]}}}}")))
    assert (found[8]["addr"], found[8]["multifunction"], found[9]["addr"]) == ("0x3", True, "0x3.0x1")
    assert "multifunction" not in found[9]


def test_only_fixed_devices_lose_hotplug() -> None:
    found = objects(ports.options(context(NIC.format("virtio"))))
    assert [port["id"] for port in found if port.get("hotplug") is False] == ["pci.5", "pci.6", "pci.7"]


def test_conventional_nics_get_a_bridge() -> None:
    ctx = context(NIC.format("e1000"))
    assert objects(ports.options(ctx))[-1]["driver"] == "pcie-pci-bridge"
    assert [endpoint.device for endpoint in ports.endpoints(ctx)] == ["pci-bridge"]
    assert not list(ports.endpoints(context(NIC.format("e1000e"))))
