"""What a command is about, as the user wrote it: ``vm``, ``vm,vmi``, ``vm hello``, ``vm/hello vmi/hello``, ``all``."""

from __future__ import annotations

from solovirt.cli.context import Context
from solovirt.cli.kinds import CATEGORY_ALL, Kind, lookup
from solovirt.kit.errors import BadRequest

Targets = list[tuple[Kind, list[str]]]
"""Kinds in the order of the words, each with its names; no names: all objects of the kind."""


def resolve(context: Context, words: list[str]) -> Targets:
    """Raises NotFound for an unknown kind, BadRequest for words that kubectl refuses too."""
    if any("/" in word for word in words):
        return _slashed(context, words)
    first, names = words[0], words[1:]
    kinds = [kind for word in first.split(",") if word for kind in _kinds_of(context, word)]
    if not kinds:
        raise BadRequest("no kind given", hint="for instance `solovirt get vm`")
    if names and "all" in first.split(","):
        raise BadRequest("names cannot be given with the kind all", hint="`vm/NAME vmi/NAME` names several objects")
    return [(kind, list(names)) for kind in dict.fromkeys(kinds)]


def one(context: Context, words: list[str]) -> tuple[Kind, list[str]]:
    """The same for commands that take one kind."""
    targets = resolve(context, words)
    if len(targets) > 1:
        raise BadRequest("one kind at a time", hint="call the command once for each kind")
    return targets[0]


def _slashed(context: Context, words: list[str]) -> Targets:
    found: dict[Kind, list[str]] = {}
    for word in words:
        kind, slash, name = word.partition("/")
        if not slash:
            raise BadRequest(f"{word!r}: all words are KIND/NAME, or none is", hint="vm NAME NAME, or vm/NAME vmi/NAME")
        if not kind or not name or "/" in name or "," in kind:
            raise BadRequest(f"{word!r} is not KIND/NAME")
        found.setdefault(lookup(context.client, kind), []).append(name)
    return list(found.items())


def _kinds_of(context: Context, word: str) -> tuple[Kind, ...]:
    return CATEGORY_ALL if word == "all" else (lookup(context.client, word),)
