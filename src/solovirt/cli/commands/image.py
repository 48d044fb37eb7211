"""``image build|pull|import|ls|rm``: the images that containerDisk and kernelBoot volumes use."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from solovirt.cli.context import Context
from solovirt.cli.output import table_text
from solovirt.cli.progress import Progress, megabytes
from solovirt.kit.errors import BadRequest, SolovirtError, Unavailable
from solovirt.kit.jsontypes import JsonObject, get_int, get_list, get_str

EPILOG = """examples:
  solovirt image build tiny                           a small Linux guest: solovirt/tiny
  solovirt image build debian                         Debian 12 for BIOS and UEFI, with cloud-init: solovirt/debian
  solovirt image pull quay.io/containerdisks/fedora:40
  solovirt image import my/disk:1 disk.qcow2          a local file under any reference
  solovirt image import my/kernel:1 --file /boot/vmlinuz=./vmlinuz --file /boot/initrd=./initrd
  solovirt image ls
"""
PATH = "/apis/subresources.solovirt.io/v1/images"
TINY = "solovirt/tiny"
DEBIAN = "solovirt/debian"


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("action", choices=("build", "pull", "import", "ls", "rm"))
    parser.add_argument(
        "reference", nargs="?", default="", metavar="REFERENCE", help="name[:tag] (build: tiny or debian)"
    )
    parser.add_argument("disk", nargs="?", default="", metavar="FILE", help="import: a raw or qcow2 disk image")
    parser.add_argument("--file", action="append", default=[], metavar="PATH=FILE", help="import: a file of the image")
    parser.add_argument("-o", "--output", default="", choices=("", "json"))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if args.action == "ls":
        return _list(args, context)
    if args.action in ("build", "import") and not context.endpoint.unix:
        raise BadRequest(f"image {args.action} needs the daemon of this host: it opens the files itself")
    if not args.reference:
        raise BadRequest(f"image {args.action} needs a reference", hint="`solovirt image --help` has examples")
    if args.action == "build":
        return _build(args, context)
    if args.action == "pull":
        return _send(context, {"action": "pull", "reference": args.reference})
    if args.action == "import":
        return _send(context, {"action": "import", "reference": args.reference, "files": _files(args)})
    context.client.call("DELETE", PATH, {"reference": args.reference})
    print(f"{args.reference} removed")
    return 0


def _list(args: argparse.Namespace, context: Context) -> int:
    answer = context.client.get(PATH)
    items = [i for i in get_list(answer, "items") if isinstance(i, dict)]
    if args.output == "json":
        import json

        print(json.dumps(items, indent=2))
        return 0
    rows = [["REFERENCE", "DIGEST", "SIZE", "FILES"]]
    for item in items:
        files = ",".join(str(f) for f in get_list(item, "files"))
        rows.append([get_str(item, "reference"), get_str(item, "digest")[:19], megabytes(get_int(item, "size")), files])
    print(table_text(rows))
    return 0


def _files(args: argparse.Namespace) -> JsonObject:
    """Path inside the image -> absolute path of the local file."""
    files: JsonObject = {}
    if args.disk:
        files[f"/disk/{os.path.basename(args.disk)}"] = os.path.abspath(args.disk)
    for pair in args.file:
        inside, found, local = pair.partition("=")
        if not found or not inside.startswith("/"):
            raise BadRequest(f"--file {pair!r} is not /PATH/IN/IMAGE=FILE")
        files[inside] = os.path.abspath(local)
    if not files:
        raise BadRequest("import needs a disk image or --file", hint="solovirt image import my/disk:1 disk.qcow2")
    for local in files.values():
        if not os.access(str(local), os.R_OK):
            raise BadRequest(f"{local}: no such file, or it cannot be read")
    return files


def _build(args: argparse.Namespace, context: Context) -> int:
    known = {"tiny": TINY, TINY: TINY, "debian": DEBIAN, DEBIAN: DEBIAN}
    reference = known.get(args.reference)
    if reference is None:
        raise BadRequest(f"{args.reference!r} cannot be built", hint="`tiny` and `debian` can be built here")
    from solovirt.kit.paths import from_environment

    folder = _build_folder(from_environment().state, reference.rpartition("/")[2])
    with Progress() as show:
        built = _debian(folder, show) if reference == DEBIAN else _tiny(folder, show)
    files: JsonObject = {inside: str(local) for inside, local in built.items()}
    return _send(context, {"action": "import", "reference": reference, "files": files})


def _tiny(folder: Path, show: Progress) -> dict[str, Path]:
    from solovirt.host.tiny.build import build, image_files

    return image_files(build(folder, progress=show.text))


def _debian(folder: Path, show: Progress) -> dict[str, Path]:
    from solovirt.host.debian.build import build, image_files

    return image_files(build(folder, progress=show.text))


def _build_folder(state: Path, name: str) -> Path:
    folder = state / "build" / name
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def _send(context: Context, body: JsonObject) -> int:
    """Pull or import in the daemon; its progress lines are shown as they come."""
    digest = ""
    reference = get_str(body, "reference")
    with Progress() as show:
        for line in context.client.stream("POST", PATH, None, body):
            if error := get_str(line, "error"):
                raise SolovirtError(error, reason=get_str(line, "reason"), hint=get_str(line, "hint"))
            digest = get_str(line, "digest") or digest
            if not digest:
                show.bytes(get_str(line, "message") or reference, get_int(line, "done"), get_int(line, "total"))
    if not digest:
        raise Unavailable(
            f"the server stopped in the middle of {reference}", hint="the same command goes on from there"
        )
    print(f"{reference} {digest}")
    return 0
