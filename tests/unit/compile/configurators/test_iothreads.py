"""Objects of I/O threads."""

from __future__ import annotations

from solovirt.compile.configurators import iothreads
from tests.unit.compile.helpers import context, objects

DISKS = "devices: {disks: [{name: a, disk: {bus: virtio}, dedicatedIOThread: true}]}"
VOLUMES = "volumes: [{name: a, emptyDisk: {capacity: 1Gi}}]"


def test_one_object_for_each_thread_with_the_field_that_asked() -> None:
    made = list(iothreads.options(context(f"domain: {{{DISKS}}}\n{VOLUMES}")))
    assert objects(made, "-object") == [{"qom-type": "iothread", "id": "iothread1"}]
    assert made[0].why.path == "domain.devices.disks[0].dedicatedIOThread"
    made = list(iothreads.options(context(f"domain: {{ioThreadsPolicy: shared, {DISKS}}}\n{VOLUMES}")))
    assert made[0].why.path == "domain.ioThreadsPolicy"


def test_nobody_asked() -> None:
    assert list(iothreads.options(context())) == []
