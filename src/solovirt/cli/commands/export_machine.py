"""``export libvirt``: a VM or a manifest as a libvirt domain. The XML goes to stdout, what it lacks to stderr."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VM
from solovirt.cli.output import clean
from solovirt.kit.errors import BadRequest

if TYPE_CHECKING:
    from solovirt.compile.explain import Explanation

EPILOG = """examples:
  solovirt export libvirt hello > hello.xml            a VM that solovirt has
  solovirt export libvirt -f examples/hello.yaml       a manifest, without a daemon
  virsh define hello.xml
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("format", choices=("libvirt",))
    parser.add_argument("name", nargs="?", default="", metavar="NAME")
    parser.add_argument("-f", "--filename", default="", metavar="FILE", help="manifest, or -")
    parser.add_argument("--facts", default="", metavar="NAME|FILE", help="-f: recorded facts of another host")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if bool(args.name) == bool(args.filename):
        raise BadRequest("export libvirt takes NAME, or -f FILE")
    name, found = _of_file(args, context) if args.filename else (args.name, _of_vm(args.name, context))
    from solovirt.translate import libvirt

    words = [found.binary]
    for row in found.rows:
        words += [row.flag] if row.value is None else [row.flag, row.value]
    written = libvirt.write(words, name)
    sys.stdout.write(written.xml)
    for loss in written.losses:
        context.note(f"not carried over: {clean(loss.what)}\n    {clean(loss.why)}")
    context.note("note: disks are named where they lie; stop the VM before another program opens them")
    return 0


def _of_vm(name: str, context: Context) -> Explanation:
    from solovirt.compile.explain import Explanation
    from solovirt.kit.json import convert

    return convert(
        context.client.get(path_of(EXTENSIONS, "v1", VM.plural, context.namespace, name, "explain")), Explanation
    )


def _of_file(args: argparse.Namespace, context: Context) -> tuple[str, Explanation]:
    from solovirt.cli.commands import explain
    from solovirt.cli.manifests import read
    from solovirt.cli.typeobjects import TypeObjects

    every = read([args.filename])
    found = [one for one in every if explain.is_machine(one)]
    if len(found) != 1:
        raise BadRequest(f"{args.filename} has {len(found)} virtual machines, expected one")
    return found[0].name, explain.explain_manifest(
        found[0], explain.facts_of(args.facts, context), context.namespace_option, TypeObjects(every, context)
    )
