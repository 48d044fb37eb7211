"""``cpu`` and ``memory``: what a running VM has, and changing it while it runs, watched until the guest has it.

The manifest is changed; the machine follows it. What the guest refuses is taken back out of the manifest.
"""

from __future__ import annotations

import argparse
import time

from solovirt.cli import follow
from solovirt.cli.client import EXTENSIONS, ApiError, Client, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VM, VMI, Kind
from solovirt.cli.output import clean, table_text
from solovirt.cli.progress import Progress
from solovirt.cli.sizes import CPU, MEMORY, Resource, cells, condition, shown
from solovirt.kit.errors import BadRequest, Conflict, GuestError, TimedOut
from solovirt.kit.jsontypes import Json, JsonObject, get_object, get_str
from solovirt.kit.quantity import to_bytes

PATCH = "application/merge-patch+json"
EPILOG = """examples:
  solovirt {verb} hello                  what is wanted, plugged, and used by the guest
  solovirt {verb} hello {value:<16} change it while the guest runs, up or down
"""
_EXAMPLES = {"cpu": "--sockets 4", "memory": "2Gi"}
_OBSERVED = 10.0
"""Seconds in which the daemon looks at a changed manifest."""
_SETTLED = 2.0
"""Seconds after which a refusal is about this change, and not about one before it."""
_SEEN = 10.0
"""Seconds that a guest has to use what it got before it is shown that it does not."""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG.format(verb=verb, value=_EXAMPLES[verb])
    parser.add_argument("name", metavar="NAME", help="the VM")
    if verb == "cpu":
        parser.add_argument("--sockets", type=int, default=None, metavar="N", help="sockets that it shall have")
    else:
        parser.add_argument("size", nargs="?", default=None, metavar="SIZE", help="memory that it shall have: 2Gi")
    parser.add_argument("--keep", action="store_true", help="what the guest refuses stays in the manifest")
    parser.add_argument("--no-wait", action="store_true", help="change the manifest only")
    parser.add_argument("--timeout", default="2m", metavar="TIME", help="how long to wait for the guest (default: 2m)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    resource = CPU if verb == "cpu" else MEMORY
    wanted: int | str | None = args.sockets if verb == "cpu" else args.size
    change = _Change(context, args.name, resource)
    if wanted is None:
        print(_table(context, args.name, resource))
        return 0
    _check(wanted)
    if not change.send(wanted):
        print(f"{args.name} has that already")
        return 0
    if args.no_wait or not change.runs():
        print(f"{args.name} edited" + ("" if args.no_wait else "; it counts from the next start"))
        return 0
    try:
        change.wait(seconds(args.timeout))
    except GuestError as error:
        if args.keep:
            raise
        change.take_back()
        text = f"{error.message}; the manifest is as before"
        hint = "--keep leaves the wish in the manifest: it is tried again when the guest was rebooted"
        raise GuestError(text, reason=error.reason, hint=error.hint or hint) from error
    print(_table(context, args.name, resource))
    return 0


def _table(context: Context, name: str, resource: Resource) -> str:
    sizes = _read(context.client, context.namespace, name)
    head = ["VCPUS" if resource is CPU else "MEMORY", "REQUESTED", "PLUGGED", "SEEN BY THE GUEST"]
    return table_text([head, [name, *cells(sizes, resource)]])


def _read(client: Client, namespace: str, name: str) -> JsonObject:
    return client.get(path_of(EXTENSIONS, "v1", VMI.plural, namespace, name, "resources"))


def _check(wanted: int | str) -> None:
    try:
        right = to_bytes(wanted) > 0
    except ValueError as error:
        raise BadRequest(f'"{wanted}" is no amount: {error}', hint="for example 512Mi or 2Gi") from error
    if not right:
        raise BadRequest("at least 1 is needed")


class _Change:
    """Of one resource of a VM, or of the VMI of that name that has no VM."""

    def __init__(self, context: Context, name: str, resource: Resource) -> None:
        self._client, self._namespace, self._name = context.client, context.namespace, name
        self._resource = resource
        self._kind: Kind = VM
        try:
            found = self._fetch()
        except ApiError as error:
            if error.status != 404:
                raise
            self._kind = VMI
            found = self._fetch()
        self._old = resource.asked(self._spec(found))
        self._before = condition(self._instance() or {}, resource)
        self._wanted: Json = None

    def send(self, wanted: int | str) -> bool:
        """Writes the wish; False when it stood there already."""
        self._wanted = wanted
        if wanted == self._old:
            return False
        self._patch(wanted)
        return True

    def take_back(self) -> None:
        """Unless somebody else wished for something meanwhile."""
        if self._resource.asked(self._spec(self._fetch())) == self._wanted:
            self._patch(self._old)

    def runs(self) -> bool:
        instance = self._instance()
        return instance is not None and get_str(get_object(instance, "status"), "phase") == "Running"

    def wait(self, timeout: float) -> None:
        """Raises ``GuestError`` with what was refused, ``Conflict`` for what needs a restart, ``TimedOut``."""
        deadline = time.monotonic() + timeout
        if self._kind is VM and self._needs_restart(min(deadline, time.monotonic() + _OBSERVED)):
            text = f"{self._name} edited, but the running machine cannot follow: it counts from the next start"
            raise Conflict(text, reason="RestartRequired", hint=f"solovirt restart {self._name}")
        began, said = time.monotonic(), ""
        with Progress() as progress:
            for instance in follow.states(self._client, VMI, self._namespace, self._name, deadline=deadline):
                if instance is None:
                    raise GuestError(f"{self._name} has ended meanwhile")
                found = condition(instance, self._resource)
                if not found and self._resource.reached(instance, self._size()):
                    self._wait_for_guest(progress)
                    return
                new = found != self._before or time.monotonic() > began + _SETTLED
                said = clean(get_str(found, "message")) if new else ""
                if new and found.get("status") == "False":
                    raise GuestError(said, reason=get_str(found, "reason"))
                progress.text(f"{self._name}: {said or 'waiting for the machine'}")
        text = f"{self._name}: not done after {timeout:g} s" + (f": {said}" if said else "")
        raise TimedOut(text, hint=f"solovirt describe vmi {self._name}")

    def _size(self) -> int | str:
        return self._wanted if isinstance(self._wanted, int | str) else 0

    def _needs_restart(self, deadline: float) -> bool:
        if follow.waits_for_restart(self._client, self._namespace, self._name, deadline=deadline) is None:
            return False
        running = self._resource.asked(get_object(self._instance() or {}, "spec"))
        return not self._resource.same(running, self._wanted)

    def _wait_for_guest(self, progress: Progress) -> None:
        deadline = time.monotonic() + _SEEN
        while time.monotonic() < deadline:
            sizes = _read(self._client, self._namespace, self._name)
            progress.text(f"{self._name}: {shown(sizes, self._resource)}")
            if self._resource.arrived(sizes):
                return
            time.sleep(0.2)

    def _patch(self, value: Json) -> None:
        spec = self._resource.patch(value)
        body: JsonObject = {"spec": {"template": {"spec": spec}} if self._kind is VM else spec}
        self._client.call("PATCH", self._path(self._kind), None, body, content_type=PATCH)

    def _instance(self) -> JsonObject | None:
        try:
            return self._client.get(self._path(VMI))
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def _fetch(self) -> JsonObject:
        return self._client.get(self._path(self._kind))

    def _path(self, kind: Kind) -> str:
        return path_of(kind.group, kind.version, kind.plural, self._namespace, self._name)

    def _spec(self, found: JsonObject) -> JsonObject:
        spec = get_object(found, "spec")
        return get_object(get_object(spec, "template"), "spec") if self._kind is VM else spec
