"""The options that every machine has: its name, how it starts and ends, and what QEMU must not add by itself."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop
from solovirt.compile.reasons import default, manifest


def opening(ctx: Context) -> Iterator[Option]:
    name = f"{ctx.bindings.namespace}_{ctx.bindings.name}"
    whose = manifest("metadata.name", "<namespace>_<name>, as KubeVirt names its domains")
    threads = default("threads of the process carry names, so that top and perf can tell vCPUs apart")
    yield Option(
        "-name",
        KeyValues("", None, (Prop("guest", name, whose), Prop("debug-threads", True, threads))),
        whose,
    )
    yield Option("-S", None, default("wait before the first instruction until QMP has been asked and says cont"))


def isolation(ctx: Context) -> Iterator[Option]:
    yield Option("-no-user-config", None, default("configuration files in /etc/qemu must not change the machine"))
    yield Option("-nodefaults", None, default("only what the manifest has: no default NIC, floppy, CD-ROM or display"))


def lifecycle(ctx: Context) -> Iterator[Option]:
    yield Option(
        "-no-shutdown",
        None,
        default("a guest that powers off stays until it has been asked how it ended, even if nobody watched"),
    )
    if ctx.spec.domain.reboot_policy == "Terminate":
        ends = manifest("domain.rebootPolicy", "a reboot ends the machine, so that it starts again as its spec is then")
        yield Option("-action", KeyValues("", None, (Prop("reboot", "shutdown", ends),)), ends)
    strict = default("boot only from devices with a bootindex")
    yield Option("-boot", KeyValues("", None, (Prop("strict", True, strict),)), strict)


def closing(ctx: Context) -> Iterator[Option]:
    stamp = default("QEMU's messages in the log carry the time")
    yield Option("-msg", KeyValues("", None, (Prop("timestamp", True, stamp),)), stamp)
