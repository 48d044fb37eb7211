from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.kubevirt.live import network
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import MultusNetwork, Network, PodNetwork
from solovirt.kit.json import clone

Spec = VirtualMachineInstanceSpec


def spec(*nics: Interface, networks: list[str] | None = None, **devices: object) -> Spec:
    names = [nic.name for nic in nics] if networks is None else networks
    made = [
        Network(name=name, pod=PodNetwork()) if name == "pod" else Network(name=name, multus=MultusNetwork("lan"))
        for name in names
    ]
    return Spec(domain=Domain(devices=Devices(interfaces=list(nics), **devices)), networks=made)  # type: ignore[arg-type]


def nic(name: str = "pod", **more: object) -> Interface:
    return Interface(name=name, bridge=Binding(), **more)  # type: ignore[arg-type]


def follows(wanted: Spec, running: Spec) -> bool:
    """Whether it needs no restart."""
    merged = clone(running)
    network.take(wanted, merged)
    again = clone(merged)
    network.take(wanted, again)
    assert again == merged
    return merged == wanted


@pytest.mark.parametrize(
    "added",
    [
        nic(),
        nic(model="e1000e"),
        nic(state="down"),
        nic("lan"),
        nic(state="absent", model="e1000"),
        nic(mac_address="02:00:00:00:00:01"),
    ],
)
def test_an_interface_is_added_with_its_network(added: Interface) -> None:
    assert follows(spec(nic("other"), added), spec(nic("other")))
    assert follows(spec(added, nic("other")), spec(nic("other"))), "in any order"


def test_where_nothing_can_be_added() -> None:
    assert not follows(spec(nic(), disable_hotplug=True), spec(disable_hotplug=True))
    assert not follows(spec(nic(), networks=[]), spec())


def test_links_and_absence() -> None:
    states = ["", "up", "down", "absent"]
    for before in states:
        for after in states:
            assert follows(spec(nic(state=after)), spec(nic(state=before))), (before, after)


def test_links_of_machines_without_hotplug() -> None:
    assert follows(spec(nic(state="down"), disable_hotplug=True), spec(nic(), disable_hotplug=True))
    assert not follows(spec(nic(state="absent"), disable_hotplug=True), spec(nic(), disable_hotplug=True))


def test_the_last_one_goes_and_no_other_comes_in_its_place() -> None:
    assert follows(spec(autoattach_pod_interface=False), spec(nic(state="absent")))


def test_what_is_absent_may_be_forgotten_and_nothing_else() -> None:
    assert follows(spec(nic("other")), spec(nic(state="absent"), nic("other")))
    assert not follows(spec(nic("other")), spec(nic(), nic("other")))
    assert not follows(spec(networks=["pod"]), spec(nic(state="absent"))), "only together with its network"


@pytest.mark.parametrize("changed", [nic(model="e1000e"), nic(mac_address="02:00:00:00:00:02"), nic(boot_order=1)])
def test_an_interface_does_not_change(changed: Interface) -> None:
    assert not follows(spec(changed), spec(nic()))
    changed.state = "down"
    assert not follows(spec(changed), spec(nic()))


def test_half_of_a_change_is_followed() -> None:
    merged = spec(nic("a"))
    network.take(spec(nic("a", model="igb"), nic("b")), merged)
    assert [(one.name, one.model) for one in merged.domain.devices.interfaces] == [("a", ""), ("b", "")]


_nics = st.lists(
    st.builds(
        nic,
        st.sampled_from(["a", "b", "c", "pod"]),
        state=st.sampled_from(["", "up", "down", "absent"]),
        model=st.sampled_from(["", "e1000", "igb"]),
    ),
    max_size=4,
    unique_by=lambda one: one.name,
)


@settings(max_examples=60, deadline=None)
@given(_nics, _nics)
def test_it_comes_to_rest_and_what_is_plugged_stays(wanted: list[Interface], running: list[Interface]) -> None:
    merged = spec(*running)
    network.take(spec(*wanted), merged)
    again = clone(merged)
    network.take(spec(*wanted), again)
    assert again == merged
    now = {one.name: one for one in merged.domain.devices.interfaces}
    for one in running:
        if one.state != "absent":
            assert now[one.name].model == one.model
    assert {one.name for one in merged.networks} == set(now)
