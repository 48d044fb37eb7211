"""NICs that come and go, and their links.

Whether the machine has a place for one, and the host its network, is asked when it is plugged in
(``controllers.vmi.live.nics``). As in KubeVirt an interface goes by ``state: absent``; once that was said, it and its
network may leave the spec, too.
Source: kubevirt pkg/network/vmispec, pkg/network/controllers/vm.go.
"""

from __future__ import annotations

from solovirt.api.kubevirt.live.order import arrange
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.api.kubevirt.spec.sources import Network
from solovirt.kit.json import clone

ABSENT = "absent"


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    devices = merged.domain.devices
    # Only says what happens where no interface is named: nothing of the machine.
    devices.autoattach_pod_interface = wanted.domain.devices.autoattach_pod_interface
    fixed = devices.disable_hotplug is True
    given = {nic.name: nic for nic in wanted.domain.devices.interfaces}
    networks = {network.name: network for network in wanted.networks}
    before = {network.name for network in merged.networks}
    _leave(merged, given, networks)
    known = {nic.name for nic in devices.interfaces}
    for nic in devices.interfaces:
        _switch(nic, given.get(nic.name), fixed=fixed)
    for name, nic in given.items():
        network = networks.get(name)
        if name in known or network is None or name in before:
            continue
        if nic.state == ABSENT or not fixed:
            devices.interfaces.append(clone(nic))
            merged.networks.append(clone(network))
    devices.interfaces = arrange(devices.interfaces, given)
    merged.networks = arrange(merged.networks, networks)


def _leave(merged: VirtualMachineInstanceSpec, given: dict[str, Interface], networks: dict[str, Network]) -> None:
    """What was unplugged may be forgotten, with its network."""
    gone = {
        nic.name
        for nic in merged.domain.devices.interfaces
        if nic.state == ABSENT and nic.name not in given and nic.name not in networks
    }
    if gone:
        merged.domain.devices.interfaces = [n for n in merged.domain.devices.interfaces if n.name not in gone]
        merged.networks = [network for network in merged.networks if network.name not in gone]


def _switch(nic: Interface, wanted: Interface | None, *, fixed: bool) -> None:
    """The link, and absence, where nothing else of the interface is to change."""
    if wanted is None or nic.state == wanted.state:
        return
    if fixed and ABSENT in (nic.state, wanted.state):
        return
    same = clone(wanted)
    same.state = nic.state
    if same == nic:
        nic.state = wanted.state
