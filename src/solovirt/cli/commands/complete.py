"""``__complete``: what could stand at the end of a half-written command. Called by the shells' completion scripts.

One candidate a line, with a tab and a description where there is one; ``:files`` alone asks the shell for file names.
It starts no daemon and prints no error: a shell waits for it while a person types.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from solovirt.cli.client import path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import KNOWN, NAMESPACE, VM, VMI, Kind, lookup
from solovirt.kit.errors import SolovirtError
from solovirt.kit.jsontypes import get_list, get_object, get_str

if TYPE_CHECKING:
    from solovirt.cli.main import Found

FILES = [":files"]
FILE_OPTIONS = (
    "-f",
    "--file",
    "--filename",
    "--certificate-authority",
    "--client-certificate",
    "--client-key",
    "--facts",
    "--password-file",
)
NAMES = {
    "start": VM,
    "stop": VM,
    "restart": VM,
    "pause": VM,
    "unpause": VM,
    "soft-reboot": VMI,
    "reset": VMI,
    "nmi": VMI,
    "send-keys": VMI,
    "screenshot": VMI,
    "memory-dump": VMI,
    "qmp": VMI,
    "console": VMI,
    "logs": VMI,
    "exec": VMI,
    "agent": VMI,
    "addvolume": VM,
    "removevolume": VM,
    "top": VMI,
    "cpu": VM,
    "memory": VM,
    "nic add": VM,
    "nic rm": VM,
    "nic up": VM,
    "nic down": VM,
    "nic ls": VM,
}
OF_A_KIND = ("get", "describe", "delete", "edit", "wait")


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """None: the words are behind ``--``."""


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    words: list[str] = args.after_dashes or [""]
    context.endpoint.autostart = False
    try:
        found = candidates(context, words[:-1], words[-1])
    except SolovirtError:
        found = []
    print("\n".join(c for c in found if c == FILES[0] or c.startswith(words[-1])))
    return 0


def candidates(context: Context, before: list[str], current: str) -> Iterable[str]:
    """Everything that may stand there; the caller keeps what begins with ``current``."""
    from solovirt.cli.main import TAKES_TAIL, find_verb

    found = find_verb(before)
    if found.verb and not found.module:
        return []
    if found.verb in TAKES_TAIL and "--" in found.rest:
        return FILES
    parser = _parser(found)
    if (offered := _at_an_option(context, parser, before, current)) is not None:
        return offered
    if found.table:
        return [f"{name}\t{summary}" for name, (_, summary) in found.table.items() if not name.startswith("_")]
    _take_over(context, parser, [*found.leading, *found.rest])
    return _words(context, parser, found.verb, _positionals(parser, found.rest), current)


def _at_an_option(
    context: Context, parser: argparse.ArgumentParser, before: list[str], current: str
) -> Iterable[str] | None:
    """Options, or the values of one; None where neither stands."""
    if (option := _option_before(parser, before)) is not None:
        return _values(context, parser, option, before)
    if not current.startswith("-"):
        return None
    name, equals, _ = current.partition("=")
    if equals and (long := _action(parser, name)) is not None:
        return [f"{name}={value}" for value in _values(context, parser, long, before) if value not in FILES]
    return _options(parser)


def _parser(found: Found) -> argparse.ArgumentParser:
    from importlib import import_module

    from solovirt.cli.options import build_parser

    parser = build_parser(found.verb, "x")
    if found.module and not found.table:
        import_module(f"solovirt.cli.commands.{found.module}").add_arguments(parser, found.verb)
    return parser


def _action(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    return next((action for action in parser._actions if word in action.option_strings), None)


def _option_before(parser: argparse.ArgumentParser, before: list[str]) -> argparse.Action | None:
    """The option whose value is to be written."""
    action = _action(parser, before[-1]) if before and before[-1].startswith("-") else None
    return action if action is not None and action.nargs is None else None


def _values(
    context: Context, parser: argparse.ArgumentParser, option: argparse.Action, before: list[str]
) -> Iterable[str]:
    if option.choices:
        return [str(choice) for choice in option.choices if choice]
    if set(option.option_strings) & set(FILE_OPTIONS):
        return FILES
    if option.dest == "namespace":
        _take_over(context, parser, before[:-1])
        return _names(context, NAMESPACE)
    return []


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [
        f"{word}\t{action.help}"
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        for word in action.option_strings
    ]


def _take_over(context: Context, parser: argparse.ArgumentParser, words: list[str]) -> None:
    """The options of the line that say where to ask."""
    from solovirt.cli.options import fill_context

    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for action in parser._actions:
        if action.dest in ("namespace", "all_namespaces", *WHERE):
            shared._add_action(action)
    asked = fill_context(shared.parse_known_args(words)[0])
    context.server, context.kube_context = asked.server, asked.kube_context
    context.credentials, context.namespace_option = asked.credentials, asked.namespace_option
    context.__dict__.pop("endpoint", None)
    context.endpoint.autostart = False


WHERE = (
    "server",
    "context",
    "token",
    "certificate_authority",
    "client_certificate",
    "client_key",
    "insecure_skip_tls_verify",
)


def _positionals(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """The words that are neither options nor their values."""
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            action = _action(parser, word)
            skip = action is not None and action.nargs is None
        else:
            found.append(word)
    return found


def _words(
    context: Context, parser: argparse.ArgumentParser, verb: str, given: list[str], current: str
) -> Iterable[str]:
    if verb in OF_A_KIND:
        kind, slash, _ = current.partition("/")
        if slash:
            return [f"{kind}/{name}" for name in _names(context, lookup(context.client, kind))]
        return _names(context, lookup(context.client, given[0].split(",")[0])) if given else _kinds(verb)
    if verb == "explain":
        return _names(context, VM) if given else ["vm"]
    if kind_of_name := NAMES.get(verb):
        return [] if given else _names(context, kind_of_name)
    if (own := _own_words(context, verb, given)) is not None:
        return own
    places = [action for action in parser._actions if not action.option_strings]
    choices = places[len(given)].choices if len(given) < len(places) else None
    return [str(choice) for choice in choices or []]


def _own_words(context: Context, verb: str, given: list[str]) -> Iterable[str] | None:
    """Of commands whose words are of several kinds; None where the parser knows."""
    if verb == "image":
        return _image_words(context, given) if given else None
    if verb == "guest cp" or (verb == "guest ssh-keys" and len(given) > 1):
        return FILES
    if verb == "guest ssh-keys" and not given:
        return None
    return _names(context, VMI) if verb.startswith("guest ") and len(given) == (verb == "guest ssh-keys") else None


def _image_words(context: Context, given: list[str]) -> list[str]:
    from solovirt.cli.commands.image import PATH

    if len(given) == 2 and given[0] == "import":
        return FILES
    if len(given) > 1:
        return []
    if given[0] == "build":
        return ["tiny", "debian"]
    images = get_list(context.client.get(PATH), "items")
    return [get_str(image, "reference") for image in images if isinstance(image, dict)]


def _kinds(verb: str) -> list[str]:
    words = [word for kind in KNOWN for word in (kind.short[:1] or (kind.singular,))]
    return [*words, "all"] if verb in ("get", "delete") else words


def _names(context: Context, kind: Kind) -> list[str]:
    path = path_of(kind.group, kind.version, kind.plural, context.namespace if kind.namespaced else "")
    items = get_list(context.client.get(path, {"limit": "500"}), "items")
    return [get_str(get_object(item, "metadata"), "name") for item in items if isinstance(item, dict)]
