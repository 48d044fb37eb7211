"""domain.devices.interfaces (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model


class Port(Model):
    name: str = ""
    protocol: str = ""
    port: int = 0


class PortRange(Model):
    protocol: str = ""
    start: int = 0
    end: int = 0


class Binding(Model):
    """``masquerade: {}``, ``bridge: {}``, ``sriov: {}``, ``passtBinding: {}`` and the discontinued ones."""


class PluginBinding(Model):
    name: str = ""


class DHCPPrivateOption(Model):
    option: int
    value: str


class DHCPOptions(Model):
    boot_file_name: str = ""
    tftp_server_name: str = ""
    ntp_servers: list[str] = msgspec.field(default_factory=list)
    private_options: list[DHCPPrivateOption] = msgspec.field(default_factory=list)


class Interface(Model):
    """One binding each; ``bindings()`` names it. ``state`` is up, down or absent."""

    name: str
    model: str = ""
    mac_address: str = ""
    masquerade: Binding | None = None
    bridge: Binding | None = None
    sriov: Binding | None = None
    passt_binding: Binding | None = None
    slirp: Binding | None = None
    macvtap: Binding | None = None
    passt: Binding | None = None
    binding: PluginBinding | None = None
    ports: list[Port] = msgspec.field(default_factory=list)
    port_ranges: list[PortRange] = msgspec.field(default_factory=list)
    boot_order: int | None = None
    pci_address: str = ""
    dhcp_options: DHCPOptions | None = None
    tag: str = ""
    acpi_index: int | None = None
    state: str = ""

    def bindings(self) -> list[str]:
        """The JSON names of the bindings that are set (a valid interface has exactly one)."""
        pairs = {
            "bridge": self.bridge,
            "masquerade": self.masquerade,
            "sriov": self.sriov,
            "passtBinding": self.passt_binding,
            "slirp": self.slirp,
            "macvtap": self.macvtap,
            "passt": self.passt,
            "binding": self.binding,
        }
        return [name for name, binding in pairs.items() if binding is not None]
