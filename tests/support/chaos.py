"""Somebody who works with a daemon that is killed again and again: keeps book of what was asked for and accepted."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from solovirt.cli.client import ApiError
from solovirt.kit.errors import SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str
from tests.support.manifests import small
from tests.support.system import IMAGES, SUBRESOURCES, VMIS, VMS, System

ALWAYS, HALTED, GONE = "Always", "Halted", "gone"


class Ledger:
    """What each VM shall be. An operation whose answer never came is done again until there is one."""

    def __init__(self, system: System, chance: random.Random, steady: list[str], churned: list[str]) -> None:
        self.system, self.chance = system, chance
        self.steady, self.churned = steady, churned
        self.wanted: dict[str, str] = dict.fromkeys([*steady, *churned], GONE)
        self.unsure: dict[str, str] = {}
        self.touched: set[str] = set()
        self.done: dict[str, int] = {}

    def demand(self, name: str, wanted: str) -> None:
        """Ask for a state, until the daemon accepted it. Raises what says that the daemon is gone."""
        self.touched.add(name)
        self.unsure[name] = wanted
        self.wanted[name] = wanted
        while not self._ask(name, wanted):
            pass
        del self.unsure[name]
        self.done[wanted] = self.done.get(wanted, 0) + 1

    def settle(self) -> None:
        """Ask again for everything that may not have been heard."""
        for name, wanted in list(self.unsure.items()):
            self.demand(name, wanted)

    def _ask(self, name: str, wanted: str) -> bool:
        client = self.system.client
        try:
            if wanted == GONE:
                client.call("DELETE", f"{VMS}/{name}", None, {"gracePeriodSeconds": 0})
            elif self.system.find(VMS, name) is None:
                client.call("POST", VMS, None, small(name, strategy=wanted))
            else:
                body: JsonObject = {"spec": {"runStrategy": wanted}}
                client.call("PATCH", f"{VMS}/{name}", None, body, content_type="application/merge-patch+json")
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return error.status == 404 and wanted == GONE
        return True

    def restart(self, name: str) -> None:
        self.touched.add(name)
        try:
            self.system.client.call("PUT", f"{SUBRESOURCES}/virtualmachines/{name}/restart", None, {})
            self.done["restart"] = self.done.get("restart", 0) + 1
        except ApiError as error:
            assert error.status in (404, 409), error

    def act(self) -> None:
        """Something at random."""
        name = self.chance.choice(self.churned)
        wanted = self.wanted[name]
        if wanted == GONE:
            if self.system.find(VMS, name) is None:
                self.demand(name, self.chance.choice((ALWAYS, ALWAYS, HALTED)))
        elif self.chance.random() < 0.2:
            self.demand(name, GONE)
        elif wanted == ALWAYS and self.chance.random() < 0.4:
            self.restart(name)
        else:
            self.demand(name, HALTED if wanted == ALWAYS else ALWAYS)

    def running(self) -> dict[str, tuple[str, int]]:
        """VMs that shall go on running as they are: name -> (VMI uid, pid)."""
        found: dict[str, tuple[str, int]] = {}
        qemus = self.system.qemus()
        asked = {get_str(get_object(vm, "metadata"), "name") for vm in self.system.items(VMS) if _has_requests(vm)}
        for vmi in self.system.items(VMIS):
            metadata = get_object(vmi, "metadata")
            name, uid = get_str(metadata, "name"), get_str(metadata, "uid")
            going = get_str(get_object(vmi, "status"), "phase") == "Running" and "deletionTimestamp" not in metadata
            if going and name not in asked and self.wanted.get(name) == ALWAYS and uid in qemus:
                found[name] = (uid, qemus[uid])
        return found


def _has_requests(vm: JsonObject) -> bool:
    return bool(get_list(get_object(vm, "status"), "stateChangeRequests"))


class Busy:
    """Runs ``steps`` over and over in threads until the daemon is gone; an unexpected refusal is kept and raised."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self._over = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(step,)) for step in steps]
        for thread in self._threads:
            thread.start()

    def _run(self, step: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                step()
            except ApiError as error:
                self._errors.append(error)
                return
            except (SolovirtError, OSError, ValueError):
                return
            except AssertionError as error:
                self._errors.append(error)
                return

    def end(self) -> None:
        """After the daemon was killed."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs although the daemon is dead"
        if self._errors:
            raise self._errors[0]


def pull_and_remove(system: System, reference: str) -> None:
    """One whole pull of an image, and its removal."""
    lines = list(system.client.stream("POST", IMAGES, None, {"action": "pull", "reference": reference}))
    assert not lines or not lines[-1].get("error"), lines[-1]
    if lines and lines[-1].get("digest"):
        try:
            system.client.call("DELETE", IMAGES, {"reference": reference})
        except ApiError as error:
            assert error.status == 404, error
