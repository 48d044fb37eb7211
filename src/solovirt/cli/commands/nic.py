"""``nic add|rm|up|down|ls``: a VM's network interfaces, changed in its manifest and watched until the guest has it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from solovirt.cli import follow, nics
from solovirt.cli.client import ApiError, Client, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VM, VMI, Kind
from solovirt.cli.output import clean, table_text
from solovirt.cli.progress import Progress
from solovirt.kit.errors import Conflict, GuestError, TimedOut
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str

VERBS: dict[str, tuple[str, str]] = {
    "add": ("nic", "plug an interface in"),
    "rm": ("nic", "unplug an interface, and forget it"),
    "up": ("nic", "plug the cable in"),
    "down": ("nic", "pull the cable out"),
    "ls": ("nic", "the interfaces of a VM: link, MAC and IP addresses"),
}
PATCH = "application/merge-patch+json"
_TRIES = 5
_SETTLED = 1.0
"""Seconds after which what is told is about this change, and not about one before it."""

Spec = JsonObject


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("name", metavar="NAME", help="the VM")
    if verb == "nic ls":
        return
    if verb == "nic add":
        parser.add_argument(
            "interface", metavar="INTERFACE", nargs="?", default="", help="its name (default: network's)"
        )
        parser.add_argument("--network", default=nics.POD, help="pod (default), or the name of a network attachment")
        parser.add_argument("--model", default="", help="virtio (default), e1000e, igb, ...")
        parser.add_argument("--mac", default="", metavar="ADDRESS", help="default: one is made, and stays")
        parser.add_argument("--down", action="store_true", help="with its cable pulled out")
    else:
        parser.add_argument("interface", metavar="INTERFACE")
    parser.add_argument("--no-wait", action="store_true", help="change the manifest only")
    parser.add_argument("--timeout", default="1m", metavar="TIME", help="how long to wait for the guest (default: 1m)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    action = verb.rpartition(" ")[2]
    if action == "ls":
        return _list(args.name, context)
    if action == "add":
        return _add(args, context)
    if action == "rm":
        return _remove(args, context)
    machine = _Machine(context, args.name)
    machine.change(lambda spec: nics.with_state(spec, args.interface, action))
    return _finish(
        args, machine, f"the link of {args.interface} is {action}", lambda i: _link(i, args.interface) == action
    )


def _add(args: argparse.Namespace, context: Context) -> int:
    pod = args.network == nics.POD
    name = args.interface or (nics.DEFAULT if pod else args.network.rpartition("/")[2])
    interface: JsonObject = {"name": name, "masquerade" if pod else "bridge": {}}
    given = {"model": args.model, "macAddress": args.mac, "state": "down" if args.down else ""}
    interface.update({key: value for key, value in given.items() if value})
    network: JsonObject = {"name": name, **({"pod": {}} if pod else {"multus": {"networkName": args.network}})}
    machine = _Machine(context, args.name)
    machine.change(lambda spec: nics.added(spec, interface, network))
    args.interface = name
    return _finish(args, machine, f"{name} is plugged in", lambda instance: bool(_link(instance, name)))


def _remove(args: argparse.Namespace, context: Context) -> int:
    """First absent, which unplugs it; once the guest has let it go, out of the manifest."""
    machine, name = _Machine(context, args.name), args.interface
    if not machine.runs():
        machine.change(lambda spec: nics.without(spec, name))
        print(f"{args.name}: {name} is removed")
        return 0
    machine.change(lambda spec: nics.with_state(spec, name, "absent"))
    _finish(args, machine, f"{name} is unplugged", lambda instance: not _link(instance, name))
    if not args.no_wait:
        machine.change(lambda spec: nics.without(spec, name))
    return 0


def _finish(args: argparse.Namespace, machine: _Machine, words: str, reached: Callable[[JsonObject], bool]) -> int:
    if args.no_wait or not machine.runs():
        print(f"{args.name} edited" + ("" if args.no_wait else "; it counts from the next start"))
        return 0
    if machine.needs_restart(args.interface):
        text = f"{args.name} edited, but the running machine cannot follow: it counts from the next start"
        raise Conflict(text, reason="RestartRequired", hint=f"solovirt restart {args.name}")
    machine.wait(args.interface, reached, seconds(args.timeout))
    print(f"{args.name}: {words}")
    return 0


class _Machine:
    """The VM of a name, or the VMI that has no VM."""

    def __init__(self, context: Context, name: str) -> None:
        self._context, self._name = context, name
        # KubeVirt's dislike of what is only a step here need not be told.
        self._quiet = Client(context.endpoint, warn=False)
        self._kind: Kind = VM
        try:
            self._fetch()
        except ApiError as error:
            if error.status != 404:
                raise
            self._kind = VMI
            self._fetch()
        self._before = _condition(self.instance() or {})

    def change(self, edit: Callable[[Spec], JsonObject]) -> None:
        """Sends what ``edit`` makes of the spec; again, on top of what somebody else wrote meanwhile."""
        for attempt in range(_TRIES):
            found = self._fetch()
            patch: JsonObject = edit(self._spec(found))
            if self._kind is VM:
                patch = {"template": {"spec": patch}}
            version = get_str(get_object(found, "metadata"), "resourceVersion")
            body: JsonObject = {"metadata": {"resourceVersion": version}, "spec": patch}
            try:
                self._quiet.call("PATCH", self._path(self._kind), None, body, content_type=PATCH)
                return
            except ApiError as error:
                if error.status != 409 or attempt == _TRIES - 1:
                    raise

    def runs(self) -> bool:
        instance = self.instance()
        return instance is not None and get_str(get_object(instance, "status"), "phase") == "Running"

    def instance(self) -> JsonObject | None:
        try:
            return self._context.client.get(self._path(VMI))
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def spec(self) -> Spec:
        return self._spec(self._fetch())

    def needs_restart(self, interface: str) -> bool:
        """Once the VM was looked at: whether its instance was not given this change."""
        if self._kind is VMI:
            return False
        deadline = time.monotonic() + 10
        vm = follow.waits_for_restart(self._context.client, self._context.namespace, self._name, deadline=deadline)
        return vm is not None and self._state(self._spec(vm), interface) != self._state(
            get_object(self.instance() or {}, "spec"), interface
        )

    def wait(self, interface: str, reached: Callable[[JsonObject], bool], timeout: float) -> None:
        """Raises ``GuestError`` with what was refused, ``TimedOut``."""
        began = time.monotonic()
        said = ""
        client, namespace = self._context.client, self._context.namespace
        with Progress(quiet=True) as progress:
            for instance in follow.states(client, VMI, namespace, self._name, deadline=began + timeout):
                if instance is None:
                    raise GuestError(f"{self._name} has ended meanwhile")
                condition = _condition(instance)
                said = clean(get_str(condition, "message"))
                about = f"interface {interface}" in said or f'"{interface}"' in said
                if reached(instance) and not about:
                    return
                new = condition != self._before or time.monotonic() > began + _SETTLED
                if about and new and condition.get("status") == "False":
                    reason = get_str(condition, "reason")
                    again = "" if reason == "RestartRequired" else "it is tried again by itself"
                    raise GuestError(said, reason=reason, hint=again)
                progress.text(said or f"{self._name}: waiting for {interface}")
        text = f"{self._name}: not done after {timeout:g} s" + (f": {said}" if said else "")
        raise TimedOut(text, hint=f"solovirt describe vmi {self._name}")

    def _fetch(self) -> JsonObject:
        return self._context.client.get(self._path(self._kind))

    def _path(self, kind: Kind) -> str:
        return path_of(kind.group, kind.version, kind.plural, self._context.namespace, self._name)

    def _spec(self, found: JsonObject) -> Spec:
        spec = get_object(found, "spec")
        return get_object(get_object(spec, "template"), "spec") if "template" in spec else spec

    def _state(self, spec: Spec, interface: str) -> JsonObject:
        return next((one for one in nics.interfaces(spec) if get_str(one, "name") == interface), {})


def _condition(instance: JsonObject) -> JsonObject:
    for one in get_list(get_object(instance, "status"), "conditions"):
        if isinstance(one, dict) and one.get("type") == "NetworkChange":
            return one
    return {}


def _shown(instance: JsonObject | None) -> list[JsonObject]:
    found = get_list(get_object(instance or {}, "status"), "interfaces")
    return [one for one in found if isinstance(one, dict)]


def _link(instance: JsonObject, name: str) -> str:
    """ "up", "down", or "" for one that is not plugged in."""
    return next((get_str(one, "linkState") for one in _shown(instance) if get_str(one, "name") == name), "")


def _list(name: str, context: Context) -> int:
    machine = _Machine(context, name)
    spec, shown = machine.spec(), _shown(machine.instance())
    models = {get_str(one, "name"): one for one in nics.interfaces(spec)}
    sources = {get_str(one, "name"): one for one in nics.networks(spec)}
    rows = [["NAME", "NETWORK", "MODEL", "LINK", "MAC", "ADDRESSES", "IN THE GUEST"]]
    plugged = {get_str(one, "name"): one for one in shown}
    for one in [*models, *(other for other in plugged if other and other not in models)]:
        found, nic, network = plugged.get(one, {}), models.get(one, {}), sources.get(one, {})
        source = get_str(get_object(network, "multus"), "networkName") or next((k for k in network if k != "name"), "")
        rows.append(
            [
                one,
                source,
                get_str(nic, "model") or "virtio",
                get_str(found, "linkState") or get_str(nic, "state") or "-",
                get_str(found, "mac") or get_str(nic, "macAddress") or "-",
                ",".join(str(address) for address in get_list(found, "ipAddresses")) or "-",
                get_str(found, "interfaceName") or "-",
            ]
        )
    print(table_text([[clean(cell) for cell in row] for row in rows]))
    return 0
