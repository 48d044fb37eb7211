"""A device never moves because another one came or went, and nothing shares a slot."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.compile.layout import MAX_PORTS, Endpoint, Layout, Pool, allocate
from solovirt.kit.errors import Invalid

GIB = 1024**3
SCSI = Endpoint("scsi0", "pci", fixed=True)
SERIAL = Endpoint("virtio-serial0", "pci", fixed=True)


def disk(name: str, address: str = "", pool: Pool = "pci") -> Endpoint:
    return Endpoint(f"ua-{name}", pool, field=f"disks.{name}", address=address)


def nic(name: str, address: str = "") -> Endpoint:
    return Endpoint(f"ua-{name}", "nic", field=f"nics.{name}", address=address)


def causes(*endpoints: Endpoint, pins: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(Invalid) as caught:
        allocate(endpoints, pins or {}, GIB)
    return [f"{cause.field}: {cause.message}" for cause in caught.value.causes]


def test_kubevirts_order() -> None:
    layout = allocate([nic("a"), SCSI, SERIAL, disk("root")], {}, GIB)
    assert layout.pins() == {"ua-a": "pci.1", "scsi0": "pci.5", "virtio-serial0": "pci.6", "ua-root": "pci.7"}
    assert layout.fixed == {5, 6}


def test_without_nics_nothing_is_kept_for_them() -> None:
    assert allocate([SCSI], {}, GIB).pins() == {"scsi0": "pci.1"}


@pytest.mark.parametrize(
    ("nics", "memory", "ports"),
    [(1, GIB, 8), (1, 3 * GIB, 16), (4, GIB, 10), (0, GIB, 8), (0, 3 * GIB, 16)],
)
def test_spare_ports_follow_topology_v3(nics: int, memory: int, ports: int) -> None:
    """One NIC: 3 placeholders, 4 ports in use up to pci.7; max(8-4, 3)-3 = 1 more, above 2 GiB max(16-4, 6)-3 = 9."""
    endpoints = [*(nic(f"n{i}") for i in range(nics)), SCSI, SERIAL, disk("a")]
    assert allocate(endpoints, {}, memory).ports == ports


def test_every_pool_counts_from_its_first_slot() -> None:
    pools: list[Pool] = ["sata", "scsi", "usb", "bridge"]
    layout = allocate([disk(f"{pool}{i}", pool=pool) for pool in pools for i in range(2)], {}, GIB)
    assert layout.pins() == {
        "ua-sata0": "ide.0", "ua-sata1": "ide.1", "ua-scsi0": "scsi0.0/0", "ua-scsi1": "scsi0.0/1",
        "ua-usb0": "usb.0/1", "ua-usb1": "usb.0/2", "ua-bridge0": "pci-bridge/1", "ua-bridge1": "pci-bridge/2",
    }  # fmt: skip


names = st.lists(st.integers(0, 11), unique=True, max_size=8)


@settings(max_examples=80, deadline=None)
@given(names, names, st.sampled_from(["pci", "sata", "scsi", "usb", "nic"]))
def test_what_stays_does_not_move(before: list[int], after: list[int], pool: Pool) -> None:
    limit = 6 if pool == "sata" else 8
    fixed = [nic("first"), SCSI, SERIAL]
    old = allocate([*fixed, *(disk(f"d{n}", pool=pool) for n in before[:limit])], {}, GIB)
    new = allocate([*fixed, *(disk(f"d{n}", pool=pool) for n in after[:limit])], old.pins(), GIB)
    for device, pin in old.pins().items():
        if device in new.pins():
            assert new.pins()[device] == pin
    assert len(set(new.pins().values())) == len(new.pins())
    again = allocate([*fixed, *(disk(f"d{n}", pool=pool) for n in after[:limit])], new.pins(), GIB)
    assert (again.pins(), again.ports) == (new.pins(), new.ports)


def test_a_new_device_takes_the_lowest_free_port() -> None:
    pins = {"scsi0": "pci.5", "ua-b": "pci.8"}
    layout = allocate([nic("a"), SCSI, disk("b"), disk("c"), disk("d"), disk("e")], pins, GIB)
    assert [layout.pins()[f"ua-{name}"] for name in "bcde"] == ["pci.8", "pci.6", "pci.7", "pci.9"]


def test_a_full_range_falls_back_to_the_ports_of_nics() -> None:
    layout = allocate([nic("a"), *(disk(f"d{n}") for n in range(30))], {}, GIB)
    assert layout.pins()["ua-d27"] == "pci.2"
    assert layout.ports == MAX_PORTS


@pytest.mark.parametrize("pin", ["pci.99", "ide.1", "nonsense", "pcie.0/2", "scsi0.0/1"])
def test_a_pin_that_does_not_fit_the_bus_is_not_followed(pin: str) -> None:
    assert allocate([disk("a")], {"ua-a": pin}, GIB).pins() == {"ua-a": "pci.1"}


def test_a_pin_on_the_root_complex_is_followed() -> None:
    assert allocate([disk("a")], {"ua-a": "pcie.0/10"}, GIB).pins() == {"ua-a": "pcie.0/10"}


def test_explicit_addresses() -> None:
    layout = allocate([disk("auto"), disk("port", "0000:01:00.0"), disk("root", "0000:00:0a.0")], {}, GIB)
    assert layout.pins() == {"ua-auto": "pci.2", "ua-port": "pci.1", "ua-root": "pcie.0/10"}
    props = {prop.key: prop.value for prop in layout.place("ua-root").props()}
    assert props == {"bus": "pcie.0", "addr": "0xa"}
    assert layout.place("ua-root").why.path == "disks.root.pciAddress"


def test_an_explicit_address_makes_its_port() -> None:
    assert allocate([disk("far", "0000:1e:00.0")], {}, GIB).ports == MAX_PORTS


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("7", "is not a PCI address"),
        ("0001:01:00.0", "the PCI domain and the function must be 0"),
        ("0000:01:00.1", "the PCI domain and the function must be 0"),
        ("0000:00:02.0", "belongs to the chipset or a root port"),
        ("0000:00:1f.0", "belongs to the chipset or a root port"),
        ("0000:20:00.0", "buses are 00 to 1f"),
        ("0000:01:01.0", "a root port has only slot 00"),
    ],
)
def test_wrong_addresses(address: str, said: str) -> None:
    (message,) = causes(disk("a", address))
    assert message.startswith("disks.a.pciAddress: ") and said in message


def test_two_devices_at_one_address() -> None:
    assert causes(disk("a", "0000:05:00.0"), disk("b", "0000:05:00.0"))[0].startswith(
        "disks.b.pciAddress: PCI address 0000:05:00.0 is already used by disks.a"
    )


def test_an_address_that_a_pinned_device_has() -> None:
    assert causes(disk("old"), disk("new", "0000:05:00.0"), pins={"ua-old": "pci.5"}) == [
        "disks.new.pciAddress: PCI address 0000:05:00.0 is already used by disks.old"
        " (choose another address or leave it out)"
    ]


def test_only_pci_devices_take_an_address() -> None:
    assert "only virtio disks" in causes(disk("a", "0000:05:00.0", pool="sata"))[0]


def test_full_buses_are_all_told() -> None:
    told = causes(*(disk(f"s{n}", pool="sata") for n in range(8)))
    assert told == [f"disks.s{n}: the machine has 6 SATA ports, all in use (use bus virtio or scsi)" for n in (6, 7)]


def test_names_are_shared() -> None:
    assert causes(nic("default"), disk("default"))[0].startswith("disks.default: the name is taken by nics.default")


def test_place_before_allocation_is_an_error_without_causes() -> None:
    with pytest.raises(Invalid) as caught:
        Layout().place("ua-a")
    assert caught.value.causes == ()


def test_what_chipsets_have_built_in_sits_on_the_root_complex() -> None:
    sound, panic = (Endpoint(name, "root", field=name) for name in ("ua-card", "panic0"))
    assert allocate([sound, panic], {}, GIB).pins() == {"ua-card": "pcie.0/27", "panic0": "pcie.0/26"}
    assert allocate([panic], {"panic0": "pcie.0/26"}, GIB).pins() == {"panic0": "pcie.0/26"}


def test_the_windows_guest_of_the_slides_has_its_order() -> None:
    """NIC, three empty ports, USB, SCSI, serial, balloon."""
    found = allocate([nic("default"), Endpoint("usb", "pci"), SCSI, SERIAL, Endpoint("balloon0", "pci")], {}, 4 * GIB)
    assert found.pins() == {
        "ua-default": "pci.1",
        "usb": "pci.5",
        "scsi0": "pci.6",
        "virtio-serial0": "pci.7",
        "balloon0": "pci.8",
    }


def test_a_machine_that_got_its_nic_later_has_spare_ports() -> None:
    """Its first ports are not kept for NICs, as there were none at its first start."""
    others = [disk(str(number)) for number in range(7)]
    before = allocate(others, {}, GIB)
    after = allocate([nic("late"), *others], {**before.pins(), "ua-late": "pci.8"}, GIB)
    assert after.pins()["ua-late"] == "pci.8"
    used = {place.index for place in after.places.values()}
    assert len(set(range(1, after.ports + 1)) - used) >= 3
