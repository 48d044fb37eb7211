"""``import``: a manifest from a QEMU command line or a libvirt domain, and a list of what it could not say.

The manifest goes to stdout, the list to stderr. Nothing is started, copied or opened besides the file that is read.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from solovirt.cli.context import Context
from solovirt.cli.output import clean, show_object
from solovirt.kit.errors import BadRequest

if TYPE_CHECKING:
    from solovirt.translate.draft import Draft

EPILOG = """examples:
  solovirt import -- qemu-system-x86_64 -m 2G -smp 2 -drive file=disk.qcow2,if=virtio > vm.yaml
  virsh dumpxml web | solovirt import - > web.yaml
  solovirt import start-vm.sh                          a shell script that is one command line
  solovirt explain -f vm.yaml                          what the manifest makes of it
"""
MAX_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.usage = "solovirt import [--name NAME] [-o yaml|json] (FILE | -- qemu-system-x86_64 ...)"
    parser.add_argument("file", nargs="?", default="", metavar="FILE", help="domain XML or a command line; - is stdin")
    parser.add_argument("--name", default="", help="the VM's name; otherwise the machine's own")
    parser.add_argument("-o", "--output", default="yaml", choices=("yaml", "json"))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    words: list[str] = args.after_dashes
    if bool(words) == bool(args.file):
        raise BadRequest("import takes a FILE, or -- and a QEMU command line")
    draft = _from_words(words, args.name) if words else _from_text(_read(args.file), args.name)
    show_object(draft.manifest(), args.output)
    for loss in draft.losses:
        context.note(f"not carried over: {clean(loss.what)}\n    {clean(loss.why)}")
    for note in draft.notes:
        context.note(f"note: {clean(note)}")
    return 0


def _from_words(words: list[str], name: str) -> Draft:
    from solovirt.translate import argv

    return argv.read(words, _checked(name))


def _from_text(text: str, name: str) -> Draft:
    if text.lstrip().startswith("<"):
        from solovirt.translate import domain

        return domain.read(text, _checked(name))
    from solovirt.translate.words import split

    lines = [line for line in text.splitlines() if not line.startswith("#!")]
    words = split("\n".join(lines))
    start = next((i for i, word in enumerate(words) if "qemu" in word.rpartition("/")[2] or word.startswith("-")), None)
    if start is None:
        raise BadRequest(
            "neither a libvirt domain nor a QEMU command line", hint="give domain XML, or argv with its flags"
        )
    return _from_words(words[start:], name)


def _checked(name: str) -> str:
    from solovirt.kit.names import label_problem

    if name and (problem := label_problem(name)):
        raise BadRequest(f"--name {name!r}: {problem}")
    return name


def _read(path: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadRequest(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise BadRequest(f"{path} is longer than {MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is no text") from None
