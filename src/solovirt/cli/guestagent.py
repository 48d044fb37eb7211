"""One command to a guest's agent, and its reply for people or for programs.

Replies are the guest's word: any shape, any text. What has another shape than it should is left out or refused, and no
control character gets to the terminal. Field names are those of QEMU's qga/qapi-schema.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI
from solovirt.cli.output import clean, show_object, table_text
from solovirt.kit.errors import GuestError
from solovirt.kit.jsontypes import Json, JsonObject

TEXT_LIMIT = 16 * 1024
CELL_LIMIT = 256
DEPTH = 32


def add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", default="", choices=("", "json", "yaml"), metavar="FORMAT", help="json|yaml: for programs"
    )


def guest_path(context: Context, name: str, subresource: str) -> str:
    return path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, name, subresource)


def ask(
    context: Context,
    name: str,
    command: str,
    arguments: JsonObject | None = None,
    *,
    timeout: float = 0.0,
    raw: bool = False,
) -> Json:
    """What the agent returned. Raises ApiError with the agent's own words and what may help.

    ``timeout`` in seconds is how long the guest may take; 0 for the server's own. ``raw``: to the letter, to be sent
    back, not to be shown.
    """
    body: JsonObject = {"command": command, "arguments": arguments or {}}
    if timeout:
        body["timeoutSeconds"] = timeout
    reply = context.client.call("POST", guest_path(context, name, "agent"), None, body).get("return")
    return reply if raw else normal(reply)


def normal(value: Json, depth: int = 0) -> Json:
    """The reply with printable text only, and without nulls: no field of an agent's reply is nullable."""
    match value:
        case _ if depth > DEPTH:
            return None
        case str():
            return clean_text(value, TEXT_LIMIT)
        case list():
            return [normal(item, depth + 1) for item in value]
        case dict():
            return {
                clean_text(key, CELL_LIMIT): normal(item, depth + 1) for key, item in value.items() if item is not None
            }
    return value


def clean_text(text: str, limit: int) -> str:
    from solovirt.kit.text import printable

    return printable(text, limit)


def objects(command: str, reply: Json) -> list[JsonObject]:
    """A reply that is a list of objects. Raises GuestError for any other."""
    if not isinstance(reply, list):
        raise GuestError(f"{command}: the guest agent's reply is not a list", reason="AgentBadReply")
    return [item for item in reply if isinstance(item, dict)]


def mapping(command: str, reply: Json) -> JsonObject:
    """A reply that is one object. Raises GuestError for any other."""
    if not isinstance(reply, dict):
        raise GuestError(f"{command}: the guest agent's reply is not an object", reason="AgentBadReply")
    return reply


def whole(item: JsonObject, key: str) -> int | None:
    """A number of the reply; None where it is missing or something else."""
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(item: JsonObject, key: str) -> str:
    """The same, to be shown."""
    value = whole(item, key)
    return "" if value is None else str(value)


def size(value: int | None) -> str:
    """Bytes in binary units; "" for None."""
    if value is None:
        return ""
    amount, units = float(value), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while abs(amount) >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{value} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def yes(value: Json) -> str:
    return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""


def show(form: str, reply: Json, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """``reply`` for programs, or a table of ``rows``."""
    if form:
        show_object(reply, form)
    else:
        print(table_text([list(header), *([clean(cell[:CELL_LIMIT]) for cell in row] for row in rows)]))


def show_pairs(form: str, reply: Json, pairs: Sequence[tuple[str, str]]) -> None:
    """``reply`` for programs, or a line for each pair that has a value."""
    if form:
        show_object(reply, form)
        return
    shown = [(f"{name}:", clean(text)) for name, text in pairs if text]
    width = max((len(name) for name, _ in shown), default=0)
    for name, text in shown:
        print(f"{name:<{width}}  {text}")
