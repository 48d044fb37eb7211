"""The ``solovirt`` command: finds the command's module and runs it.

Only the module of the command that is run gets imported, and only its parser is built; ``get`` must not pay for
``console``.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol, cast

from solovirt.kit.errors import Cause, SolovirtError

if TYPE_CHECKING:
    import argparse

    from solovirt.cli.context import Context

COMMANDS: dict[str, tuple[str, str]] = {
    "apply": ("apply", "create or change objects from manifests"),
    "create": ("apply", "create objects from manifests; fail if they exist"),
    "get": ("get", "list objects, or show some"),
    "describe": ("describe", "everything about an object, with its events"),
    "delete": ("delete", "delete objects by name, label or manifest"),
    "edit": ("edit", "change an object in your editor"),
    "wait": ("wait", "wait for a condition, a field's value, or the end of an object"),
    "start": ("lifecycle", "start a virtual machine"),
    "stop": ("lifecycle", "shut a virtual machine down"),
    "restart": ("lifecycle", "shut a virtual machine down and start it again"),
    "pause": ("lifecycle", "freeze a running guest"),
    "unpause": ("lifecycle", "let a paused guest go on"),
    "soft-reboot": ("machine", "have the guest reboot"),
    "reset": ("machine", "press the reset button; the guest is not asked"),
    "nmi": ("machine", "send the guest a non-maskable interrupt"),
    "send-keys": ("send_keys", "press keys, or type text, on the guest's keyboard"),
    "screenshot": ("screenshot", "the guest's screen as a PNG"),
    "memory-dump": ("memory_dump", "the guest's memory as a file for crash and gdb, or into a claim"),
    "qmp": ("qmp", "send a command to QEMU's monitor; for experts"),
    "top": ("top", "what every running VM uses: CPU, memory, disks, network"),
    "events": ("events", "what happened to objects, oldest first; -w goes on"),
    "metrics": ("metrics", "the daemon's Prometheus metrics as text"),
    "scale": ("scale", "change how many replicas a VM pool or a replica set has"),
    "console": ("console", "the guest's serial console; ^] leaves it"),
    "logs": ("logs", "what the guest wrote on its serial console, or QEMU's own log"),
    "addvolume": ("volumes", "add a volume to a virtual machine, also while it runs"),
    "removevolume": ("volumes", "remove a volume that was added, also while it runs"),
    "cdrom": ("volumes", "put a disc into a CD-ROM drive, or take it out"),
    "explain": ("explain", "the QEMU command line of a manifest or a VM, with the reason for every token"),
    "import": ("import_machine", "make a manifest of a QEMU command line or a libvirt domain"),
    "export": ("export_machine", "write a VM as a libvirt domain"),
    "exec": ("guest_exec", "run a command inside the guest, through its agent"),
    "guest": ("guest", "ask the guest's agent, or have it do something; `solovirt guest` lists what"),
    "agent": ("agent", "send any command to the guest agent and show the raw reply"),
    "cpu": ("resize", "vCPUs of a VM: what it has, and changing them while it runs"),
    "memory": ("resize", "memory of a VM: what it has, and changing it while it runs"),
    "nic": ("nic", "network interfaces of a VM: add, remove, pull or plug the cable, list"),
    "image": ("image", "build, pull, import, list and remove guest images"),
    "doctor": ("doctor", "what this host can do, what is missing for what, and the package to install"),
    "daemon": ("daemon", "run, show or stop the daemon"),
    "api-resources": ("api_resources", "the kinds that the server knows"),
    "version": ("version", "the versions of this command and of the server"),
    "completion": ("completion", "a completion script for bash, zsh or fish"),
    "__complete": ("complete", "what could stand at the end of a half-written command"),
}

COLLECT_AFTER = 100_000
"""New objects before the collector looks for cycles; the daemon goes back to Python's own figure."""
USAGE = "usage: solovirt [--server URL] [--context NAME] [-n NAMESPACE | -A] COMMAND ..."


class Command(Protocol):
    """What a module in ``cli.commands`` offers. One module may serve several verbs."""

    def add_arguments(self, parser: argparse.ArgumentParser, verb: str) -> None: ...

    def run(self, args: argparse.Namespace, context: Context, verb: str) -> int: ...


class Group(Protocol):
    """A module that only names the modules of its verbs."""

    VERBS: dict[str, tuple[str, str]]


def command() -> NoReturn:
    """``main`` as a process. It ends without taking the interpreter apart, which can take as long as the command."""
    # Imports make many objects and no garbage: looking for it would take a tenth of a short command's time.
    gc.set_threshold(COLLECT_AFTER)
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for an error, 2 for a wrong call, 130 after ^C."""
    words = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names and messages may have letters that the locale's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            return dispatch(words)
        finally:
            # Here a reader that has gone is an exception; at the interpreter's end it would be a message.
            sys.stdout.flush()
    except SolovirtError as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `solovirt get vm | head`: whoever read our output has gone; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return 141


def dispatch(words: list[str]) -> int:
    """Split off the options before the verb, build the verb's parser, run it."""
    leading, verb, rest = split_verb(words)
    if verb == "help" and rest[:1] and rest[0] in COMMANDS:
        words, verb = [*rest, "--help"], rest[0]
    if verb == "help" or not words or (not verb and {"-h", "--help"} & set(leading)):
        print(overview())
        return 0
    if not verb:
        print(f"solovirt: no command given\n{USAGE}\n`solovirt help` lists the commands", file=sys.stderr)
        return 2
    found = find_verb(["version"] if "--version" in leading else words)
    if not found.module:
        return _unknown(found)
    if found.table:
        print(group_overview(found))
        return 0 if {"-h", "--help"} & set(found.leading) else 2
    command = cast(Command, import_module(f"solovirt.cli.commands.{found.module}"))
    from solovirt.cli.options import build_parser, fill_context

    parser = build_parser(found.verb, found.summary)
    command.add_arguments(parser, found.verb)
    own, tail = split_tail(found.rest) if found.verb in TAKES_TAIL else (found.rest, [])
    args = parser.parse_intermixed_args([*found.leading, *own])
    args.after_dashes = tail
    return command.run(args, fill_context(args), found.verb)


class Found(NamedTuple):
    """What a line's words name. ``module`` is "" for an unknown verb. ``table``: the verbs of which one is still to be
    given, empty when none is; of an unknown verb those that there are.
    """

    leading: list[str]
    verb: str
    rest: list[str]
    module: str
    summary: str
    table: dict[str, tuple[str, str]]


def find_verb(words: list[str]) -> Found:
    """The verb that ``words`` begin with, after options; of a command in ``GROUPS`` with the verb below it."""
    leading, verb, rest = split_verb(words)
    table, group = COMMANDS, ""
    if verb in GROUPS:
        group, table = verb, cast(Group, import_module(f"solovirt.cli.commands.{COMMANDS[verb][0]}")).VERBS
        before, verb, rest = split_verb(rest)
        leading = [*leading, *before]
    full = f"{group} {verb}".strip()
    if not verb:
        return Found(leading, full, rest, *COMMANDS.get(group, ("help", "")), table)
    if verb not in table:
        return Found(leading, full, rest, "", "", table)
    return Found(leading, full, rest, *table[verb], {})


def _unknown(found: Found) -> int:
    from solovirt.kit.names import nearest

    group, _, verb = found.verb.rpartition(" ")
    near = nearest(verb, list(found.table))
    print(f"solovirt: unknown command {found.verb!r}" + (f"; did you mean {near!r}?" if near else ""), file=sys.stderr)
    print(f"`solovirt {group} --help` lists what there is" if group else USAGE, file=sys.stderr)
    return 2


OPTIONS_WITH_VALUE = (
    "-n",
    "--namespace",
    "--server",
    "--context",
    "--token",
    "--certificate-authority",
    "--client-certificate",
    "--client-key",
)


TAKES_TAIL = ("exec", "guest exec", "import", "__complete")
GROUPS = ("guest", "nic")
"""Commands with verbs of their own: their module has a table of them."""


def split_tail(words: list[str]) -> tuple[list[str], list[str]]:
    """Our words, and the command of somebody else behind the first ``--``."""
    position = words.index("--") if "--" in words else len(words)
    return words[:position], words[position + 1 :]


def split_verb(words: list[str]) -> tuple[list[str], str, list[str]]:
    """(options before the verb, the verb or "", the words after it)."""
    position = 0
    while position < len(words):
        word = words[position]
        if not word.startswith("-"):
            return words[:position], word, words[position + 1 :]
        position += 2 if word in OPTIONS_WITH_VALUE else 1
    return words, "version" if "--version" in words else "", []


def overview() -> str:
    """The text of ``solovirt --help``."""
    shown = {verb: summary for verb, (_, summary) in COMMANDS.items() if not verb.startswith("_")}
    width = max(map(len, shown)) + 2
    lines = [f"  {verb:<{width}}{summary}" for verb, summary in shown.items()]
    return "\n".join(
        [
            "solovirt runs KubeVirt VirtualMachine manifests on this host, by driving QEMU directly.",
            "",
            USAGE,
            "",
            *lines,
            "",
            "First steps:",
            "  solovirt doctor                          is everything here that is needed?",
            "  solovirt image build tiny                make a small guest image",
            "  solovirt apply -f examples/hello.yaml    start it",
            "  solovirt console hello                   talk to it",
            "",
            "`solovirt COMMAND --help` explains a command. The same commands work on a cluster that has KubeVirt:",
            "set KUBECONFIG, or give --server.",
        ]
    )


def group_overview(found: Found) -> str:
    """The text of ``solovirt GROUP --help``."""
    width = max(map(len, found.table)) + 2
    return "\n".join(
        [
            f"usage: solovirt {found.verb} VERB NAME ...",
            "",
            *(f"  {verb:<{width}}{summary}" for verb, (_, summary) in found.table.items()),
            "",
            f"`solovirt {found.verb} VERB --help` explains one.",
        ]
    )


def named(cause: Cause) -> str:
    """The cause's message, with its field in front unless the message names it anyway."""
    return cause.message if cause.field in cause.message else f"{cause.field}: {cause.message}"


def report(error: SolovirtError) -> None:
    """One clear message on stderr; every cause on a line of its own."""
    kind = f" ({error.reason})" if getattr(error, "status", 0) and error.reason else ""
    source = "Error from server" if getattr(error, "status", 0) else "error"
    several = len(error.causes) > 1
    text = f"{len(error.causes)} things are wrong:" if several else error.message
    place = f"{error.field}: " if error.field and error.field not in text and not several else ""
    _say(f"{source}{kind}: {place}{text}")
    for cause in error.causes if several else ():
        _say(f"  * {named(cause)}")
    if error.hint:
        _say(f"  {error.hint}")


def _say(text: str) -> None:
    """A guest may have had a say in it: lines, and nothing that a terminal obeys."""
    print("".join(char if char == "\n" or char.isprintable() else " " for char in text), file=sys.stderr)
