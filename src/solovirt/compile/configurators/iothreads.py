"""-object iothread: the threads that serve disks. ``compile.iothreads`` decides how many there are."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile import iothreads
from solovirt.compile.context import Context
from solovirt.compile.drives import disk_path
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import manifest, needs


def options(ctx: Context) -> Iterator[Option]:
    policy = ctx.spec.domain.io_threads_policy
    first = next((disk_path(i) for i, disk in enumerate(ctx.devices.disks) if disk.dedicated_io_thread), "")
    path = iothreads.POLICY if policy else f"{first}.dedicatedIOThread"
    for name in iothreads.names(ctx):
        why = manifest(path, "disks are served outside of QEMU's main loop")
        props = (
            Prop("qom-type", "iothread", why),
            Prop("id", name, needs("libvirt's name: disks name their thread")),
        )
        yield Option("-object", JsonValue(props), why)
