"""``soft-reboot``, ``reset``, ``nmi``: what is done to the machine itself. The first two are virtctl's."""

from __future__ import annotations

import argparse

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.commands.lifecycle import SUBRESOURCES
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI

ABOUT = {
    "soft-reboot": "The guest is asked: its agent, or by the power button where it has none; then it is started again.",
    "reset": "The guest is not asked: what it has not written is lost. The machine and its VMI stay the same.",
    "nmi": "Kernels that are set up for it write a crash dump and reboot (Linux: sysctl kernel.unknown_nmi_panic=1).",
}
ACTIONS = {
    "soft-reboot": (SUBRESOURCES, "softreboot", "VMI {} was scheduled to soft-reboot"),
    "reset": (SUBRESOURCES, "reset", "VMI {} was scheduled to reset"),
    "nmi": (EXTENSIONS, "nmi", "a non-maskable interrupt was sent to VMI {}"),
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.description = f"{parser.description} {ABOUT[verb]}"
    parser.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    group, action, done = ACTIONS[verb]
    context.client.call("PUT", path_of(group, "v1", VMI.plural, context.namespace, args.name, action))
    print(done.format(args.name))
    return 0
