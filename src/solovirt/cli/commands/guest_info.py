"""``guest info``, ``osinfo``, ``hostname``, ``tz``, ``users``: who the guest is."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask, mapping, objects, show, show_pairs, yes
from solovirt.cli.output import clean, show_object
from solovirt.kit.jsontypes import JsonObject, get_list, get_str

COMMANDS = {
    "info": "guest-info",
    "osinfo": "guest-get-osinfo",
    "hostname": "guest-get-host-name",
    "tz": "guest-get-timezone",
    "users": "guest-get-users",
}
OS_FIELDS = (
    ("Name", "pretty-name"),
    ("System", "name"),
    ("Id", "id"),
    ("Version", "version"),
    ("Version id", "version-id"),
    ("Variant", "variant"),
    ("Variant id", "variant-id"),
    ("Kernel", "kernel-release"),
    ("Kernel version", "kernel-version"),
    ("Machine", "machine"),
)
EXAMPLES = {
    "info": """examples:
  solovirt guest info hello                 the agent's version and its commands
  solovirt guest info hello -o json

ENABLED no: the guest's administrator switched it off, or it does not exist on this system. A command that is not in
the list came with a newer agent.
""",
    "osinfo": "examples:\n  solovirt guest osinfo hello\n  solovirt guest osinfo hello -o yaml\n",
    "hostname": "examples:\n  solovirt guest hostname hello\n",
    "tz": "examples:\n  solovirt guest tz hello\n  solovirt guest tz hello -o json    the offset in seconds, too\n",
    "users": "examples:\n  solovirt guest users hello              who is logged in, and since when\n",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EXAMPLES[verb.rpartition(" ")[2]]
    guestagent.add_name(parser)
    guestagent.add_output(parser)


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    what = verb.rpartition(" ")[2]
    command = COMMANDS[what]
    reply = ask(context, args.name, command)
    if what == "users":
        users = objects(command, reply)
        show(args.output, list(users), ("USER", "DOMAIN", "LOGIN"), [_user(user) for user in users])
        return 0
    found = mapping(command, reply)
    if what == "info":
        _info(args.output, found)
    elif what == "osinfo":
        show_pairs(args.output, found, [(name, get_str(found, key)) for name, key in OS_FIELDS])
    elif args.output:
        show_object(found, args.output)
    elif what == "hostname":
        print(clean(get_str(found, "host-name")))
    else:
        print(f"{clean(get_str(found, 'zone')) or '?'} (UTC{_offset(found)})")
    return 0


def _info(form: str, found: JsonObject) -> None:
    listed = get_list(found, "supported_commands")
    commands = sorted((one for one in listed if isinstance(one, dict)), key=lambda one: get_str(one, "name"))
    reply: JsonObject = {**found, "supported_commands": [*commands]}
    if not form:
        off = sum(one.get("enabled") is False for one in commands)
        tail = f", {off} of them off" if off else ""
        print(f"qemu-guest-agent {clean(get_str(found, 'version'))}, {len(commands)} commands{tail}\n")
    rows = [(get_str(one, "name"), yes(one.get("enabled")), yes(one.get("success-response"))) for one in commands]
    show(form, reply, ("COMMAND", "ENABLED", "ANSWERS-SUCCESS"), rows)


def _user(user: JsonObject) -> tuple[str, str, str]:
    return get_str(user, "user"), get_str(user, "domain"), _moment(user.get("login-time"))


def _moment(seconds: object) -> str:
    """When somebody logged in; agents count in whole or broken seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return "?"


def _offset(found: JsonObject) -> str:
    seconds = guestagent.whole(found, "offset") or 0
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
