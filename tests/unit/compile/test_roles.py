"""Tagged devices and where the guest finds them."""

from __future__ import annotations

from solovirt.compile import roles
from solovirt.host.model.bindings import TaggedDevice
from tests.unit.compile.helpers import context

TEXT = """
domain:
  devices:
    interfaces: [{name: lan, masquerade: {}, tag: office}]
    disks:
      - {name: a, disk: {bus: virtio}, tag: system}
      - {name: b, disk: {bus: scsi}, tag: data, serial: S1}
      - {name: c, cdrom: {bus: sata}, tag: media}
      - {name: d, disk: {bus: virtio}}
networks: [{name: lan, pod: {}}]
volumes:
  - {name: a, emptyDisk: {capacity: 1}}
  - {name: b, emptyDisk: {capacity: 1}}
  - {name: c, emptyDisk: {capacity: 1}}
  - {name: d, emptyDisk: {capacity: 1}}
"""


def test_addresses_are_those_of_the_layout() -> None:
    ctx = context(TEXT)
    assert roles.tagged(ctx.spec, ctx.facts, ctx.bindings) == (
        TaggedDevice("nic", "pci", "0000:01:00.0", mac="02:00:00:00:00:01", tags=("office",)),
        TaggedDevice("disk", "pci", f"0000:{ctx.layout.places['ua-a'].index:02x}:00.0", tags=("system",)),
        TaggedDevice("disk", "scsi", "0:0:0:0", serial="S1", tags=("data",)),
        TaggedDevice("disk", "sata", "0", tags=("media",)),
    )


def test_without_tags_nothing_is_worked_out() -> None:
    ctx = context("domain: {devices: {disks: [{name: a, disk: {bus: virtio}}]}}")
    assert not roles.wanted(ctx.spec)
    assert roles.tagged(ctx.spec, ctx.facts, ctx.bindings) == ()
