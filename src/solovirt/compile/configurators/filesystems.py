"""Directories shared with the guest (``devices.filesystems``): a virtiofs device each, in front of virtiofsd.

The guest's memory must be shareable for it, which ``memory`` sees to. Source: QEMU docs/tools/virtiofsd.rst.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import connect
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs
from solovirt.host.model.bindings import FilesystemBinding
from solovirt.kit.errors import HostError

PATH = "domain.devices.filesystems"
MAX_TAG = 36
"""Bytes that the device has for its tag (virtio specification 1.2, 5.11.4)."""
_QUEUE = 1024


def options(ctx: Context) -> Iterator[Option]:
    for index, filesystem in enumerate(ctx.devices.filesystems):
        path = f"{PATH}[{index}]"
        if len(filesystem.name.encode(errors="surrogatepass")) > MAX_TAG:
            raise invalid(f"{path}.name", f"must be no more than {MAX_TAG} bytes: the guest mounts it by this name")
        bound = _bound(ctx, index)
        chardev = f"chr-vu-fs{index}"
        note = f" ({bound.note})" if bound.note else ""
        why = manifest(path, f"a directory shared with the guest: {bound.directory}{note}")
        yield connect(chardev, bound.socket, "virtiofsd", why)
        yield Option(
            "-device",
            JsonValue(
                (
                    Prop("driver", "vhost-user-fs-pci", manifest(f"{path}.virtiofs", "shared through virtiofs")),
                    Prop("id", _device(index), needs("name of the device for QMP")),
                    Prop("chardev", chardev, needs("the way to virtiofsd")),
                    Prop("queue-size", _QUEUE, default("libvirt's number of requests that may wait")),
                    Prop("tag", filesystem.name, manifest(f"{path}.name", "what the guest mounts it by")),
                    *ctx.layout.place(_device(index)).props(),
                )
            ),
            why,
        )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for index, _ in enumerate(ctx.devices.filesystems):
        yield Endpoint(_device(index), "pci", field=f"{PATH}[{index}]", fixed=True)


def _device(index: int) -> str:
    return f"fs{index}"


def _bound(ctx: Context, index: int) -> FilesystemBinding:
    name = ctx.devices.filesystems[index].name
    bound = ctx.bindings.filesystems.get(name)
    if bound is None:
        text = f'the directory of filesystem "{name}" has not been resolved on this host'
        raise HostError(text, reason="InvalidBindings", field=f"{PATH}[{index}]")
    return bound
