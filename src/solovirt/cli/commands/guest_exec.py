"""``exec`` and ``guest exec``: a command inside the guest, through its agent; its output as it comes, its exit code
ours.

Also what was started that way before: listed, followed again, ended.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterable, Iterator

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import BadRequest, SolovirtError, Unavailable
from solovirt.kit.jsontypes import JsonObject, get_int, get_list, get_object, get_str

EPILOG = """examples:
  solovirt exec hello -- uname -a
  solovirt exec hello -- /bin/sh -c 'echo out; echo err >&2; exit 3'
  tar c . | solovirt exec -i hello -- tar x -C /srv
  solovirt exec --detach hello -- make -C /src      prints an id
  solovirt exec --ls hello
  solovirt exec --attach 0123456789abcdef hello     all output, and what follows
  solovirt exec --kill 0123456789abcdef hello       end it and forget it

^C ends the command in the guest; it leaves one that was attached to.
"""
STDIN_CHUNK = 256 * 1024
TIMED_OUT = 124
"""As timeout(1)."""
PLAIN_TIMEOUT = 60.0


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.usage = f"solovirt {verb} [options] NAME -- COMMAND [ARGUMENT ...]"
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-i", "--stdin", action="store_true", help="send our stdin (all of it) to the command")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="environment of the command")
    parser.add_argument("--timeout", default="", metavar="TIME", help="end the command after (default: never)")
    parser.add_argument("--no-stream", action="store_true", help="all output at the end: the quickest way; 60s at most")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-d", "--detach", action="store_true", help="leave it running in the guest; print its id")
    what.add_argument("--attach", default="", metavar="ID", help="show what such a command wrote and writes")
    what.add_argument("--ls", action="store_true", help="list the commands that were left or lost")
    what.add_argument("--kill", default="", metavar="ID", help="end such a command, and forget it")
    parser.add_argument("--signal", default="", metavar="NAME", help="with --kill: only send it this signal")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    path = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, args.name, "exec")
    command: list[str] = args.after_dashes
    if args.ls or args.attach or args.kill:
        if command:
            raise BadRequest("--ls, --attach and --kill take no command")
        return _manage(args, context, path)
    if not command:
        raise BadRequest("no command was given", hint=f"solovirt {verb} NAME -- COMMAND [ARGUMENT ...]")
    if args.signal:
        raise BadRequest("--signal goes with --kill")
    if args.no_stream:
        return _plain(args, context, path, command)
    if args.detach and args.timeout:
        raise BadRequest("--timeout: nobody is there to see that a detached command ends")
    body: JsonObject = {"command": [*command]}
    if args.env:
        body["env"] = list(args.env)
    if args.timeout:
        body["timeoutSeconds"] = seconds(args.timeout)
    upload = _stdin() if args.stdin else None
    if args.detach:
        response = context.client.open("POST", f"{path}/stream", {"detach": "true"}, body, upload=upload)
        import json

        print(get_str(json.loads(response.read()), "id"))
        return 0
    return Following(context, args.name, verb, owned=True).run("POST", f"{path}/stream", None, body, upload)


def _manage(args: argparse.Namespace, context: Context, path: str) -> int:
    if args.ls:
        _list(get_list(context.client.get(path), "items"))
    elif args.kill:
        query = {"id": args.kill, **({"signal": args.signal} if args.signal else {})}
        context.client.call("DELETE", path, query)
    else:
        following = Following(context, args.name, "exec", owned=False)
        return following.run("GET", f"{path}/stream", {"id": args.attach}, None, None)
    return 0


def _list(items: Iterable[object]) -> None:
    rows = [("ID", "STATE", "STARTED", "COMMAND")]
    for item in items:
        if isinstance(item, dict):
            state = get_str(item, "state")
            state = f"exited {get_int(item, 'exitCode')}" if state == "exited" else state
            words = " ".join(str(word) for word in get_list(item, "command"))
            rows.append((get_str(item, "id"), state, get_str(item, "startedAt"), _shown(words)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("   ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))


def _shown(text: str) -> str:
    from solovirt.kit.text import printable

    return printable(text, 120)


class Following:
    """One answer in JSON lines. ``owned``: the command ends with us."""

    def __init__(self, context: Context, name: str, verb: str, *, owned: bool) -> None:
        self._context = context
        self._name = name
        self._verb = verb
        self._owned = owned
        self._id = ""

    def run(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None,
        body: JsonObject | None,
        upload: Iterator[bytes] | None,
    ) -> int:
        """The exit code; 130 after ^C, 124 when the time was over. Raises ApiError, Unavailable."""
        try:
            for line in self._context.client.stream(method, path, query, body, upload=upload):
                if (code := self._take(line)) is not None:
                    return code
        except KeyboardInterrupt:
            if not self._owned:
                self._context.note(f"\nleft alone: it goes on in the guest; {self._again()}")
            return 130
        except Unavailable as error:
            error.hint = error.hint or (f"if the command goes on in the guest: {self._again()}" if self._id else "")
            raise
        raise Unavailable("the answer has no end", hint=self._again())

    def _take(self, line: JsonObject) -> int | None:
        for key, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
            if key in line:
                stream.buffer.write(base64.b64decode(get_str(line, key)))
                stream.flush()
            elif f"{key}Truncated" in line:
                self._context.note(f"\n({key} was cut: the guest agent keeps only so much of it)")
        if "id" in line:
            self._id = get_str(line, "id")
        if "error" in line:
            found = get_object(line, "error")
            hint = get_str(found, "hint") or (self._again() if self._id else "")
            raise SolovirtError(get_str(found, "message"), reason=get_str(found, "reason"), hint=hint)
        if "detached" in line:
            self._context.note(f"\nthe daemon was stopped; the command goes on in the guest: {self._again()}")
            return 1
        if "exitCode" not in line:
            return None
        if line.get("timedOut") is True:
            self._context.note("the time is over: the command was ended")
            return TIMED_OUT
        return get_int(line, "exitCode")

    def _again(self) -> str:
        return f"solovirt {self._verb} --attach {self._id or 'ID'} {self._name}"


def _stdin() -> Iterator[bytes]:
    while data := sys.stdin.buffer.read(STDIN_CHUNK):
        yield data


def _plain(args: argparse.Namespace, context: Context, path: str, command: list[str]) -> int:
    """One request, and all output at the end."""
    if args.detach:
        raise BadRequest("--detach and --no-stream exclude each other")
    body: JsonObject = {
        "command": [*command],
        "timeoutSeconds": seconds(args.timeout) if args.timeout else PLAIN_TIMEOUT,
    }
    if args.env:
        body["env"] = list(args.env)
    if args.stdin:
        body["input"] = base64.b64encode(sys.stdin.buffer.read()).decode()
    result = context.client.call("POST", path, None, body)
    for key, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        stream.buffer.write(base64.b64decode(get_str(result, key)))
        stream.flush()
        if result.get(f"{key}Truncated"):
            context.note(f"\n({key} was cut: the guest agent keeps only so much of it)")
    if number := get_int(result, "signal"):
        context.note(f"the command was ended by signal {number}")
        return 128 + number
    return get_int(result, "exitCode")
