"""``addvolume``, ``removevolume`` (virtctl's verbs, options and words) and ``cdrom insert|eject``."""

from __future__ import annotations

import argparse
import time

from solovirt.cli import follow
from solovirt.cli.client import EXTENSIONS, ApiError, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import CLAIM, DATA_VOLUME, VM, VMI, Kind
from solovirt.cli.progress import Progress
from solovirt.kit.errors import BadRequest, NotFound, TimedOut
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str

SUBRESOURCES = "subresources.kubevirt.io"
NAME_MAX = 63
CACHES = ("none", "writethrough", "writeback")
BUSES = {"disk": ("scsi", "virtio"), "lun": ("scsi",)}
CDROM_EPILOG = """examples:
  solovirt cdrom insert win drivers --volume-name virtio-win --wait
  solovirt cdrom eject win drivers
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    if verb == "cdrom":
        parser.epilog = CDROM_EPILOG
        parser.add_argument("action", choices=("insert", "eject"), metavar="insert|eject")
    parser.add_argument("name", metavar="NAME")
    if verb == "cdrom":
        parser.add_argument("disk", metavar="DISK", help="the drive's name in the spec")
    what = "name used in volumes section of spec" if verb == "removevolume" else "a DataVolume or a claim"
    parser.add_argument(
        "--volume-name", "--volume", dest="volume", required=verb != "cdrom", default="", metavar="NAME", help=what
    )
    if verb == "addvolume":
        parser.add_argument("--disk-name", default="", metavar="NAME", help="its name in the spec")
        parser.add_argument("--serial", default="", help="the disk's serial number (default: its name)")
        parser.add_argument("--cache", default="", choices=("", *CACHES), metavar="|".join(CACHES))
        parser.add_argument("--disk-type", default="disk", choices=tuple(BUSES), metavar="disk|lun")
        parser.add_argument("--bus", default="scsi", metavar="scsi|virtio", help="(default: scsi)")
    if verb != "cdrom":
        parser.add_argument("--persist", action="store_true", help="no effect, as with virtctl: it always persists")
    parser.add_argument("--dry-run", action="store_true", help="check, change nothing")
    parser.add_argument("--wait", action="store_true", help="wait until the guest has it, or has let it go")
    parser.add_argument("--timeout", default="2m", metavar="TIME", help="with --wait (default: 2m)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if verb == "cdrom":
        return _cdrom(args, context)
    adding = verb == "addvolume"
    body = _addition(args, context) if adding else _removal(args)
    name = get_str(body, "name")
    leaving = name if adding else _volume_of(context, args.name, name)
    _send(context, args, SUBRESOURCES, verb, body)
    word = "add" if adding else "remove"
    print(f"Successfully submitted {word} volume request to VM {args.name} for volume {args.volume}", flush=True)
    if args.wait and not args.dry_run:
        _wait(context, args.name, leaving, "" if not adding else args.volume, seconds(args.timeout))
    return 0


def _cdrom(args: argparse.Namespace, context: Context) -> int:
    inserting = args.action == "insert"
    if inserting != bool(args.volume):
        raise BadRequest("insert needs --volume-name" if inserting else "eject takes no --volume-name")
    body: JsonObject = {"disk": args.disk, **_dry(args)}
    if inserting:
        body["volumeSource"] = _source(context, args.volume)
    _send(context, args, EXTENSIONS, "medium", body)
    done = f"{args.volume} is put into" if inserting else "the medium is taken out of"
    print(f"{done} drive {args.disk} of VM {args.name}" + (" (dry run)" if args.dry_run else ""), flush=True)
    if args.wait and not args.dry_run:
        _wait(context, args.name, args.disk, args.volume, seconds(args.timeout))
    return 0


def _addition(args: argparse.Namespace, context: Context) -> JsonObject:
    name = args.disk_name or args.volume
    if len(name) > NAME_MAX:
        what = f"disk name {name}" if args.disk_name else f"volume name {name}"
        hint = "" if args.disk_name else "give a shorter one with --disk-name"
        raise BadRequest(f"Invalid {what}, must not exceed {NAME_MAX} characters", hint=hint)
    if args.bus not in BUSES[args.disk_type]:
        allowed = " and ".join(f"'{bus}'" for bus in BUSES[args.disk_type])
        raise BadRequest(f"Invalid bus type '{args.bus}' for {args.disk_type}. Only {allowed} are supported.")
    disk: JsonObject = {"name": "", args.disk_type: {"bus": args.bus}, "serial": args.serial or name}
    if args.cache:
        disk["cache"] = args.cache
    return {"name": name, "disk": disk, "volumeSource": _source(context, args.volume), **_dry(args)}


def _removal(args: argparse.Namespace) -> JsonObject:
    return {"name": args.volume, **_dry(args)}


def _dry(args: argparse.Namespace) -> JsonObject:
    return {"dryRun": ["All"]} if args.dry_run else {}


def _source(context: Context, name: str) -> JsonObject:
    """A DataVolume of the name, else a claim."""
    sources: tuple[tuple[Kind, JsonObject], ...] = (
        (DATA_VOLUME, {"dataVolume": {"name": name, "hotpluggable": True}}),
        (CLAIM, {"persistentVolumeClaim": {"claimName": name, "hotpluggable": True}}),
    )
    for kind, source in sources:
        if _find(context, path_of(kind.group, kind.version, kind.plural, context.namespace, name)) is not None:
            return source
    raise NotFound(f"Volume {name} is not a DataVolume or PersistentVolumeClaim", hint="solovirt get pvc,dv")


def _send(context: Context, args: argparse.Namespace, group: str, verb: str, body: JsonObject) -> None:
    """To the VM, or to the VMI where there is no VM of the name."""
    try:
        context.client.call("PUT", path_of(group, "v1", VM.plural, context.namespace, args.name, verb), None, body)
    except ApiError as error:
        if error.status != 404:
            raise
        context.client.call("PUT", path_of(group, "v1", VMI.plural, context.namespace, args.name, verb), None, body)


def _volume_of(context: Context, name: str, given: str) -> str:
    """The volume's own name, where the claim's was given."""
    vmi = _find(context, path_of(VMI.group, VMI.version, VMI.plural, context.namespace, name)) or {}
    for volume in get_list(get_object(vmi, "spec"), "volumes"):
        if not isinstance(volume, dict):
            continue
        claim = get_str(get_object(volume, "persistentVolumeClaim"), "claimName")
        if given in (claim, get_str(get_object(volume, "dataVolume"), "name")):
            return get_str(volume, "name")
    return given


def _find(context: Context, path: str) -> JsonObject | None:
    try:
        return context.client.get(path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _wait(context: Context, name: str, volume: str, claim: str, timeout: float) -> None:
    """Follow the VMI until the volume is on ``claim`` and ready, or gone ("")."""
    deadline = time.monotonic() + timeout
    said = "not yet looked at"
    with Progress(quiet=True) as progress:
        for vmi in follow.states(context.client, VMI, context.namespace, name, deadline=deadline):
            if vmi is None:
                raise NotFound(f"VM {name} does not run: the change is made at its next start")
            found = _status(vmi, volume)
            phase = get_str(found, "phase")
            on = get_str(get_object(found, "persistentVolumeClaimInfo"), "claimName")
            if not claim and not found and not _in_spec(vmi, volume):
                return
            if claim and phase == "Ready" and on == claim:
                return
            said = ": ".join(text for text in (phase or "waiting", get_str(found, "message")) if text)
            progress.text(f"{volume}: {said}")
    raise TimedOut(f"volume {volume} of {name} after {timeout:g} s: {said}", hint=f"solovirt describe vmi {name}")


def _status(vmi: JsonObject, volume: str) -> JsonObject:
    found = get_list(get_object(vmi, "status"), "volumeStatus")
    return next((one for one in found if isinstance(one, dict) and one.get("name") == volume), {})


def _in_spec(vmi: JsonObject, volume: str) -> bool:
    volumes = get_list(get_object(vmi, "spec"), "volumes")
    return any(isinstance(one, dict) and one.get("name") == volume for one in volumes)
