"""-kernel, -initrd, -append: a kernel started directly (``firmware.kernelBoot``)."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import Option, Word
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import manifest
from solovirt.kit.errors import HostError

PATH = "domain.firmware.kernelBoot"


def options(ctx: Context) -> Iterator[Option]:
    firmware = ctx.spec.domain.firmware
    boot = firmware.kernel_boot if firmware else None
    if boot is None:
        return
    if boot.kernel_args and not (boot.container and boot.container.kernel_path):
        raise invalid(f"{PATH}.kernelArgs", "kernel arguments need a kernel", hint=f"set {PATH}.container.kernelPath")
    if boot.container is None:
        return
    bound = ctx.bindings.kernel
    if bound is None:
        raise HostError("the kernel of kernelBoot has not been resolved", reason="InvalidBindings", field=PATH)
    why = manifest(f"{PATH}.container.kernelPath", f"kernel out of the image {boot.container.image}")
    yield Option("-kernel", Word(bound.kernel, why), why)
    if bound.initrd:
        why = manifest(f"{PATH}.container.initrdPath", f"initial RAM disk out of the image {boot.container.image}")
        yield Option("-initrd", Word(bound.initrd, why), why)
    if boot.kernel_args:
        why = manifest(f"{PATH}.kernelArgs", "the kernel's command line")
        yield Option("-append", Word(boot.kernel_args, why), why)
