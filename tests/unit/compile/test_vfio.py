"""What identifies a device of the host."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.compile import vfio
from solovirt.compile.context import Context
from solovirt.compile.reasons import default
from solovirt.host.model.bindings import HostDeviceBinding
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context

BARE = context()


def source(kind: str, address: str) -> dict[str, object]:
    devices = {"d": HostDeviceBinding("d", kind, address)}
    bindings = msgspec.structs.replace(BARE.bindings, host_devices=devices)
    props = vfio.source(Context(BARE.spec, BARE.facts, bindings), "d", default("test"))
    return {prop.key: prop.value for prop in props}


def test_each_kind() -> None:
    assert source("pci", "0000:5e:02.1") == {"driver": "vfio-pci", "host": "0000:5e:02.1"}
    assert source("mdev", "/sys/bus/mdev/devices/x") == {"driver": "vfio-pci", "sysfsdev": "/sys/bus/mdev/devices/x"}
    assert source("usb", "2-10") == {"driver": "usb-host", "hostbus": 2, "hostaddr": 10}


def test_no_binding_at_all() -> None:
    assert vfio.bound(BARE, "x").lacks


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("pci", "01:00.0"),
        ("pci", "0000:01:00.0,x"),
        ("mdev", "/sys/../etc"),
        ("mdev", "/dev/x"),
        ("usb", "0-1"),
        ("x", ""),
    ],
)
def test_malformed(kind: str, address: str) -> None:
    with pytest.raises(HostError, match="is bound as"):
        source(kind, address)


@settings(max_examples=50)
@given(st.sampled_from(["pci", "mdev", "usb"]), st.text(max_size=20))
def test_nothing_odd_gets_through(kind: str, address: str) -> None:
    try:
        found = source(kind, address)
    except HostError:
        return
    assert all(isinstance(value, int) or "," not in str(value) or kind == "mdev" for value in found.values())
