"""``start``, ``stop``, ``restart``, ``pause``, ``unpause``: virtctl's verbs and words."""

from __future__ import annotations

import argparse
import time

from solovirt.cli import follow
from solovirt.cli.client import path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VM, VMI
from solovirt.cli.progress import Progress
from solovirt.kit.errors import BadRequest, NotFound, TimedOut
from solovirt.kit.jsontypes import JsonObject, get_object, get_str

SUBRESOURCES = "subresources.kubevirt.io"
DONE = {
    "start": "VM {} was scheduled to start",
    "stop": "VM {} was scheduled to stop",
    "restart": "VM {} was scheduled to restart",
    "pause": "VMI {} was scheduled to pause",
    "unpause": "VMI {} was scheduled to unpause",
}
GOAL = {"start": "Running", "stop": "Stopped", "restart": "Running"}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    if verb in ("pause", "unpause"):
        parser.add_argument("kind", nargs="?", default="vm", metavar="vm|vmi", help=argparse.SUPPRESS)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--dry-run", action="store_true", help="check, change nothing")
    if verb == "start":
        parser.add_argument("--paused", action="store_true", help="leave the guest paused before its first instruction")
    if verb in ("stop", "restart"):
        parser.add_argument("--force", action="store_true", help="pull the plug; needs --grace-period")
        parser.add_argument("--grace-period", type=int, default=None, metavar="SECONDS", help="0 with --force")
    if verb in GOAL:
        parser.add_argument("--wait", action="store_true", help=f"wait until the VM is {GOAL[verb]}, showing progress")
        parser.add_argument("--timeout", default="5m", metavar="TIME", help="with --wait (default: 5m)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    kind = VMI if verb in ("pause", "unpause") else VM
    before = _instance_uid(context, args.name) if verb == "restart" and args.wait else ""
    path = path_of(SUBRESOURCES, "v1", kind.plural, context.namespace, args.name, verb)
    context.client.call("PUT", path, None, _body(args, verb))
    print(DONE[verb].format(args.name) + (" (dry run)" if args.dry_run else ""), flush=True)
    if getattr(args, "wait", False) and not args.dry_run:
        _wait(context, args.name, GOAL[verb], seconds(args.timeout), before)
    return 0


def _body(args: argparse.Namespace, verb: str) -> JsonObject:
    body: JsonObject = {}
    if getattr(args, "paused", False):
        body["paused"] = True
    if verb in ("stop", "restart"):
        if args.force != (args.grace_period is not None):
            raise BadRequest("--force and --grace-period must both be given, or neither")
        if args.grace_period is not None:
            body["gracePeriod" if verb == "stop" else "gracePeriodSeconds"] = args.grace_period
    if args.dry_run:
        body["dryRun"] = ["All"]
    return body


def _instance_uid(context: Context, name: str) -> str:
    from solovirt.cli.client import ApiError

    try:
        instance = context.client.get(path_of(VMI.group, VMI.version, VMI.plural, context.namespace, name))
    except ApiError as error:
        if error.status == 404:
            return ""
        raise
    return get_str(get_object(instance, "metadata"), "uid")


def _wait(context: Context, name: str, goal: str, timeout: float, old_uid: str) -> None:
    """Follow printableStatus, showing it on a terminal. ``old_uid`` is of the instance that must be replaced."""
    deadline = time.monotonic() + timeout
    status = ""
    with Progress(quiet=True) as progress:
        for vm in follow.states(context.client, VM, context.namespace, name, deadline=deadline):
            if vm is None:
                raise NotFound(f"VM {name} was deleted meanwhile")
            status = get_str(get_object(vm, "status"), "printableStatus")
            progress.text(f"{name}: {status}")
            if status == goal and not (old_uid and _instance_uid(context, name) == old_uid):
                return
    raise TimedOut(f"VM {name} is {status} after {timeout:g} s, not {goal}", hint=f"solovirt describe vm {name}")
