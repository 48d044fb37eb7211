"""``guest vcpus``, ``memory-blocks``: which the guest uses, and switching them off and on in it.

What is off stays plugged: the guest's kernel just does not use it until it is switched on, or boots again.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask, mapping, objects, show, size, whole, yes
from solovirt.cli.output import clean
from solovirt.kit.errors import BadRequest, GuestError
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_str

EXAMPLES = {
    "vcpus": """examples:
  solovirt guest vcpus hello
  solovirt guest vcpus hello --set 1=off
  solovirt guest vcpus hello --set 2-3=on --set 1=off

This is inside of the guest. To plug CPUs in or out, change the VM's spec.domain.cpu.sockets.
""",
    "memory-blocks": """examples:
  solovirt guest memory-blocks hello
  solovirt guest memory-blocks hello --set 16-23=off

Neighbours that are alike share a line; -o json has each block. A block that the kernel needs stays on. Linux only.
""",
}
MOST = 65536
_CHOICE = re.compile(r"(\d+)(?:-(\d+))?=(on|off)", re.ASCII)
Choices = dict[int, bool]


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EXAMPLES[verb.rpartition(" ")[2]]
    guestagent.add_name(parser)
    guestagent.add_output(parser)
    parser.add_argument(
        "--set", action="append", default=[], metavar="N[-M]=on|off", help="switch these; may be given several times"
    )


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    wanted = choices(args.set)
    if verb.rpartition(" ")[2] == "vcpus":
        return _vcpus(args, context, wanted)
    return _memory(args, context, wanted)


def choices(words: Iterable[str]) -> Choices:
    """``2-3=on``, ``1=off``, several in one word behind commas -> number to on. Raises BadRequest."""
    found: Choices = {}
    for word in (part for given in words for part in given.split(",")):
        match = _CHOICE.fullmatch(word.strip())
        if match is None:
            raise BadRequest(f"--set {word}: not N=on, N=off or N-M=on|off")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first >= MOST or last >= 1 << 32:
            raise BadRequest(f"--set {word}: from the smaller to the greater number, at most {MOST}")
        for number in range(first, last + 1):
            if found.setdefault(number, match[3] == "on") != (match[3] == "on"):
                raise BadRequest(f"--set: {number} is to be on and off")
    return found


def _vcpus(args: argparse.Namespace, context: Context, wanted: Choices) -> int:
    left: list[JsonObject] = [{"logical-id": number, "online": on} for number, on in wanted.items()]
    while left:
        # It stops at the first that fails, and says why only if that is the first of all.
        done = ask(context, args.name, "guest-set-vcpus", {"vcpus": [*left]}, timeout=60)
        if isinstance(done, bool) or not isinstance(done, int) or not 0 < done <= len(left):
            raise GuestError("guest-set-vcpus: the reply is no number of CPUs", reason="AgentBadReply")
        left = left[done:]
    command = "guest-get-vcpus"
    found = objects(command, ask(context, args.name, command))
    found.sort(key=lambda one: get_int(one, "logical-id"))
    rows = [(str(get_int(one, "logical-id")), yes(one.get("online")), yes(one.get("can-offline"))) for one in found]
    show(args.output, [*found], ("CPU", "ONLINE", "CAN-OFFLINE"), rows)
    return 0


def _memory(args: argparse.Namespace, context: Context, wanted: Choices) -> int:
    refused: list[JsonObject] = []
    if wanted:
        command = "guest-set-memory-blocks"
        given: list[Json] = [{"phys-index": number, "online": on} for number, on in wanted.items()]
        answers = objects(command, ask(context, args.name, command, {"mem-blks": given}, timeout=120))
        refused = [one for one in answers if get_str(one, "response") != "success"]
        if len(answers) < len(wanted):
            refused.append({"response": f"{len(wanted) - len(answers)} of them were not answered"})
    command = "guest-get-memory-blocks"
    found = objects(command, ask(context, args.name, command))
    found.sort(key=lambda one: get_int(one, "phys-index"))
    command = "guest-get-memory-block-info"
    each = whole(mapping(command, ask(context, args.name, command)), "size") or 0
    reply: JsonObject = {"size": each, "blocks": [*found]}
    header = ("BLOCKS", "ADDRESS", "SIZE", "ONLINE", "CAN-OFFLINE")
    show(args.output, reply, header, [_run(run, each) for run in runs(found)])
    for one in refused:
        context.note(_refusal(one))
    return 1 if refused else 0


def _refusal(one: JsonObject) -> str:
    import os

    code = get_int(one, "error-code")
    number = whole(one, "phys-index")
    why = f": {os.strerror(code)}" if 0 < code < 4096 else ""
    return (f"block {number}: " if number is not None else "") + clean(get_str(one, "response")) + why


def runs(blocks: Sequence[JsonObject]) -> list[list[JsonObject]]:
    """Blocks in their order, neighbours that are alike together."""
    found: list[list[JsonObject]] = []
    for block in blocks:
        last = found[-1][-1] if found else {}
        alike = all(block.get(key) == last.get(key) for key in ("online", "can-offline"))
        if last and alike and get_int(block, "phys-index") == get_int(last, "phys-index") + 1:
            found[-1].append(block)
        else:
            found.append([block])
    return found


def _run(blocks: list[JsonObject], each: int) -> tuple[str, ...]:
    first, last = get_int(blocks[0], "phys-index"), get_int(blocks[-1], "phys-index")
    return (
        str(first) if first == last else f"{first}-{last}",
        f"{first * each:#x}",
        size(each * len(blocks)),
        yes(blocks[0].get("online")),
        yes(blocks[0].get("can-offline")),
    )
