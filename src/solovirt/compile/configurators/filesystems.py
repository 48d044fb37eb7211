"""Directories shared with the guest (``devices.filesystems``): a virtiofs device each, in front of virtiofsd.

``described`` is also what a hotplug sends. The guest's memory must be shareable for it, which ``memory`` sees to.
Source: QEMU docs/tools/virtiofsd.rst.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.spec.devices import Filesystem
from solovirt.compile.chardev import connect
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint, Place
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs
from solovirt.host.model.bindings import FilesystemBinding
from solovirt.kit.errors import HostError

PATH = "domain.devices.filesystems"
MAX_TAG = 36
"""Bytes that the device has for its tag (virtio specification 1.2, 5.11.4)."""
DRIVER = "vhost-user-fs-pci"
DEVICE, CHARDEV = "fs-", "chr-vu-fs-"
"""How ids begin that end with the filesystem's name."""
_QUEUE = 1024


def options(ctx: Context) -> Iterator[Option]:
    for index, filesystem in enumerate(ctx.devices.filesystems):
        yield from described(ctx, index, ctx.layout.place(device_name(filesystem)))


def described(ctx: Context, index: int, place: Place) -> tuple[Option, Option]:
    """The way to virtiofsd (-chardev), and the device at ``place``. Raises ``Invalid`` or ``HostError``."""
    filesystem, path = ctx.devices.filesystems[index], f"{PATH}[{index}]"
    if len(filesystem.name.encode(errors="surrogatepass")) > MAX_TAG:
        raise invalid(f"{path}.name", f"must be no more than {MAX_TAG} bytes: the guest mounts it by this name")
    bound = _bound(ctx, index)
    chardev = chardev_id(filesystem.name)
    note = f" ({bound.note})" if bound.note else ""
    why = manifest(path, f"a directory shared with the guest: {bound.directory}{note}")
    return connect(chardev, bound.socket, "virtiofsd", why), Option(
        "-device",
        JsonValue(
            (
                Prop("driver", DRIVER, manifest(f"{path}.virtiofs", "shared through virtiofs")),
                Prop("id", device_name(filesystem), needs("name of the device for QMP", f"{path}.name")),
                Prop("chardev", chardev, needs("the way to virtiofsd")),
                Prop("queue-size", _QUEUE, default("libvirt's number of requests that may wait")),
                Prop("tag", filesystem.name, manifest(f"{path}.name", "what the guest mounts it by")),
                *place.props(),
            )
        ),
        why,
    )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    fixed = ctx.devices.disable_hotplug is True
    for index, filesystem in enumerate(ctx.devices.filesystems):
        yield Endpoint(device_name(filesystem), "pci", field=f"{PATH}[{index}]", fixed=fixed)


def device_name(filesystem: Filesystem) -> str:
    """The QEMU id. By name, not by number: a machine from which one was unplugged keeps the others."""
    return f"{DEVICE}{filesystem.name}"


def chardev_id(name: str) -> str:
    return f"{CHARDEV}{name}"


def _bound(ctx: Context, index: int) -> FilesystemBinding:
    name = ctx.devices.filesystems[index].name
    bound = ctx.bindings.filesystems.get(name)
    if bound is None:
        text = f'the directory of filesystem "{name}" has not been resolved on this host'
        raise HostError(text, reason="InvalidBindings", field=f"{PATH}[{index}]")
    return bound
