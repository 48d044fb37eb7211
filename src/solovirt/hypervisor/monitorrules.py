"""What an expert may ask a machine's monitor for, and what would break the house. Pure.

Questions are free. What changes something has to be meant (``CONFIRM``). What would leave solovirt with a wrong idea of
the machine, and somebody with lost data or a lost machine, is refused with the reason. Secrets in arguments are not
shown. Source: QEMU's qapi/*.json, hmp-commands.hx.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from solovirt.kit import json
from solovirt.kit.json import Json, JsonObject, get_list, get_str
from solovirt.kit.text import printable

HMP = "human-monitor-command"
HIDDEN = "***"

_QUESTIONS = frozenset(
    ("qom-list", "qom-get", "qom-list-types", "qom-list-properties", "device-list-properties", "trace-event-get-state")
)
_CHANNEL = "it belongs to the connection between solovirt and QEMU"
_CHAIN = "it changes which file holds a disk's data; the next start would use the old one, and what was written is lost"
_MOVE = "two copies of a machine can write to one disk; solovirt would not know which one is the machine"
_ENDS = "solovirt has to see how a guest ends: it relies on QEMU staying there until then"
_SECRET = "secrets stay where they are"
_REFUSED: dict[str, str] = {
    **dict.fromkeys(("qmp_capabilities", "getfd", "closefd", "add-fd", "remove-fd", "get-win32-socket"), _CHANNEL),
    **dict.fromkeys(("add_client", "client_migrate_info"), _CHANNEL),
    **dict.fromkeys(("blockdev-snapshot", "blockdev-snapshot-sync", "change-backing-file", "blockdev-reopen"), _CHAIN),
    **dict.fromkeys(("blockdev-mirror", "drive-mirror", "block-commit", "block-stream", "x-blockdev-change"), _CHAIN),
    **dict.fromkeys(("block-job-complete", "job-complete", "block-job-change"), _CHAIN),
    **dict.fromkeys(("migrate", "migrate-incoming", "migrate-recover", "migrate-start-postcopy"), _MOVE),
    **dict.fromkeys(("migrate-continue", "migrate-pause", "xen-load-devices-state"), _MOVE),
    **dict.fromkeys(("set-action", "x-exit-preconfig", "replay-seek"), _ENDS),
}
_REFUSED_HMP: dict[str, str] = {
    **dict.fromkeys(("getfd", "closefd"), _CHANNEL),
    **dict.fromkeys(("snapshot_blkdev", "drive_mirror", "commit", "block_stream", "block_job_complete"), _CHAIN),
    **dict.fromkeys(("migrate", "migrate_incoming", "migrate_recover", "migrate_start_postcopy"), _MOVE),
    **dict.fromkeys(("migrate_continue", "migrate_pause"), _MOVE),
}
_OURS = re.compile(r"(char(monitor|serial|channel|net-|redir)|chr(tpm|-vu-fs-)).*")
"""Connections that solovirt made for a machine, as compile names them."""
_SENSITIVE = re.compile(r"(?i)pass(word|phrase|wd)|secret|token|cookie|(^|[-_])key$|^data$|^rawdata$|^auth")
_SENSITIVE_HMP = re.compile(r"(?i)passw|secret|cookie|^sev|^sendkey$|^(raw)?data$|data=")
_TYPED = frozenset(("send-key", "input-send-event"))
"""What somebody types may be a password."""
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_NO_SECRETS = re.compile(r"/machine(/.*)?")
"""What is below it has no secrets; /objects has, and partial paths lead there."""


class Right(Enum):
    FREE = "free"
    CONFIRM = "confirm"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``why`` says why it is refused."""

    right: Right
    why: str = ""


def judge(command: str, arguments: JsonObject) -> Verdict:
    """Unknown commands change something: QEMU may know them."""
    line = get_str(arguments, "command-line").strip()
    why = _why_not_hmp(line) if command == HMP else _why_not(command, arguments)
    if why:
        return Verdict(Right.REFUSED, why)
    if command == HMP:
        free = _word(line) == "info"
    else:
        free = command in _QUESTIONS or command.startswith(("query-", "x-query-"))
    return Verdict(Right.FREE if free else Right.CONFIRM)


def shown(command: str, arguments: JsonObject, limit: int = 400) -> str:
    """Command and arguments for an event or a log; what may be a secret is not in it."""
    if command == HMP:
        line = get_str(arguments, "command-line")
        words = line.split()
        hidden = any(_SENSITIVE_HMP.search(word) for word in words)
        return _printed(f"{HMP} {_word(words[0])} {HIDDEN}" if hidden else f"{HMP} {line}", limit)
    if command in _TYPED:
        return f"{command} {HIDDEN}"
    known = _without_secrets(arguments)
    if command == "qom-set" and _SENSITIVE.search(get_str(arguments, "property")):
        known["value"] = HIDDEN
    return _printed(" ".join([command, *(f"{key}={_shown(value)}" for key, value in known.items())]), limit)


def _why_not(command: str, arguments: JsonObject) -> str:
    if command in ("chardev-change", "chardev-remove"):
        ours = _OURS.fullmatch(get_str(arguments, "id")) is not None
    elif command == "yank":
        ours = any(_is_ours(one) for one in get_list(arguments, "instances"))
    else:
        ours = False
    if ours:
        return _CHANNEL
    if command == "qom-get" and _SENSITIVE.search(get_str(arguments, "property")):
        return _SECRET
    if command == "qom-list-get":
        paths = get_list(arguments, "paths")
        told = all(isinstance(path, str) and _NO_SECRETS.fullmatch(path) for path in paths)
        return "" if told else _SECRET
    if command == "transaction":
        kinds = [get_str(one, "type") for one in get_list(arguments, "actions") if isinstance(one, dict)]
        return next((_REFUSED[kind] for kind in kinds if kind in _REFUSED), "")
    return _REFUSED.get(command, "")


def _why_not_hmp(line: str) -> str:
    word = _word(line)
    # QEMU takes words in quotes, too, with backslashes in them.
    words = re.sub(r"[\"\\]", "", line).split()[1:]
    if word in ("chardev-change", "chardev-remove") and any(_OURS.fullmatch(one) for one in words):
        return _CHANNEL
    if word == "qom-get" and any(_SENSITIVE.search(one) for one in words):
        return _SECRET
    return _REFUSED_HMP.get(word, "")


def _word(line: str) -> str:
    """QEMU takes one command from a line; its name ends at a space or at a slash."""
    return re.split(r"[\s/]", line, maxsplit=1)[0]


def _printed(text: str, limit: int) -> str:
    return printable(_CREDENTIALS.sub(HIDDEN, text), limit)


def _is_ours(instance: Json) -> bool:
    return isinstance(instance, dict) and _OURS.fullmatch(get_str(instance, "id")) is not None


def _without_secrets(value: JsonObject) -> JsonObject:
    return {key: HIDDEN if _SENSITIVE.search(key) else _cleaned(found) for key, found in value.items()}


def _cleaned(value: Json) -> Json:
    if isinstance(value, dict):
        return _without_secrets(value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return value


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else json.encode(value).decode()
