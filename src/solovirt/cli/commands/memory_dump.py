"""``memory-dump``: the guest's memory as a file for crash and gdb; or, as virtctl has it, into a claim."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from solovirt.cli import follow, saving
from solovirt.cli.client import EXTENSIONS, downloaded, path_of
from solovirt.cli.commands.lifecycle import SUBRESOURCES
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VM, VMI
from solovirt.cli.progress import Progress, megabytes
from solovirt.kit.errors import BadRequest, GuestError, NotFound, TimedOut, Unavailable
from solovirt.kit.jsontypes import Json, JsonObject, get_object, get_str

if TYPE_CHECKING:
    from solovirt.cli.http import Response

EPILOG = """examples:
  solovirt memory-dump hello -f hello.elf                   readelf -l, crash and gdb read it
  solovirt memory-dump hello -f hello.kdump --format kdump-zlib
  solovirt memory-dump hello -f - | zstd > hello.elf.zst

Into a claim, as virtctl does it; the claim must have room for the memory and 100 MiB, and some more:
  solovirt memory-dump get hello --claim-name=dumps --wait
  solovirt memory-dump get hello                            again, into the same claim
  solovirt memory-dump remove hello                         so that it can be another claim

The guest stands still until its memory is read, and goes on then.
"""
VERBS = ("get", "remove", "download")


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("words", nargs="+", metavar="[get|remove] NAME")
    parser.add_argument("-f", "--file", default="", metavar="FILE", help="where to; -: standard output")
    parser.add_argument("--format", default="", metavar="FORMAT", help="elf (default), kdump-zlib, kdump-lzo, ...")
    parser.add_argument("--claim-name", default="", metavar="CLAIM", help="with get: the PersistentVolumeClaim")
    parser.add_argument("--wait", action="store_true", help="with get: until the dump is in the claim")
    parser.add_argument("--timeout", default="10m", metavar="TIME", help="with --wait (default: 10m)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    words: list[str] = args.words
    if len(words) > 2 or (len(words) == 2 and words[0] not in VERBS):
        raise BadRequest(f"expected NAME, get NAME or remove NAME, not {' '.join(words)!r}")
    if len(words) == 1 or words[0] == "download":
        _check(args, "claim_name", "wait")
        if not args.file:
            raise BadRequest(
                "where to? give -f FILE", hint="into a claim: solovirt memory-dump get NAME --claim-name=CLAIM"
            )
        _download(context, words[-1], args.file, args.format)
    elif words[0] == "get":
        _check(args, "file", "format")
        _get(context, words[1], args)
    else:
        _check(args, "file", "format", "claim_name", "wait")
        _call(context, words[1], "removememorydump", {})
        print(f"Successfully submitted remove memory dump association of VM {words[1]}")
    return 0


def _check(args: argparse.Namespace, *options: str) -> None:
    for option in options:
        if getattr(args, option):
            raise BadRequest(f"--{option.replace('_', '-')} does not go with this")


def _download(context: Context, name: str, file: str, form: str) -> None:
    if file == saving.STDOUT:
        saving.check_stdout()
    path = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, name, "memorydump")
    began = time.monotonic()
    response = context.client.download(path, {"format": form} if form else None)
    with Progress() as progress:
        try:
            # Who can read it reads every secret of the guest.
            size = saving.save(file, _watched(response, name, progress), 0o600)
        except Unavailable as error:
            hint = f"solovirt events --for vmi/{name} says why"
            raise GuestError(f"the dump broke off: {error.message}", reason="DumpFailed", hint=hint) from error
        finally:
            response.close()
    if file != saving.STDOUT:
        context.note(f"the memory of {name} is in {file}: {megabytes(size)} in {time.monotonic() - began:.1f} s")


def _watched(response: Response, name: str, progress: Progress) -> Iterator[bytes]:
    given, done = response.headers.get("x-solovirt-memory", ""), 0
    total = int(given) if given.isdigit() else 0
    for data in downloaded(response):
        yield data
        done += len(data)
        # Headers come on top, and a compressed dump is smaller: it is never more than all.
        progress.bytes(f"memory of {name}", min(done, total) if total else done, total)


def _get(context: Context, name: str, args: argparse.Namespace) -> None:
    _call(context, name, "memorydump", {"claimName": args.claim_name})
    print(f"Successfully submitted memory dump request of VM {name}", flush=True)
    if not args.wait:
        return
    deadline, phase = time.monotonic() + seconds(args.timeout), ""
    with Progress(quiet=True) as progress:
        for vm in follow.states(context.client, VM, context.namespace, name, deadline=deadline):
            if vm is None:
                raise NotFound(f"VM {name} was deleted meanwhile")
            request = get_object(get_object(vm, "status"), "memoryDumpRequest")
            phase = get_str(request, "phase")
            progress.text(f"memory dump of {name}: {phase}")
            if phase == "Completed":
                break
            if phase == "Failed":
                raise GuestError(get_str(request, "message") or "the dump failed", reason="DumpFailed")
        else:
            raise TimedOut(f"the memory dump of {name} is {phase or 'gone'} after {args.timeout}")
    print(f"Memory dump completed: {get_str(request, 'fileName')} in claim {get_str(request, 'claimName')}")


def _call(context: Context, name: str, action: str, body: JsonObject) -> None:
    payload: Json = body
    context.client.call("PUT", path_of(SUBRESOURCES, "v1", VM.plural, context.namespace, name, action), None, payload)
