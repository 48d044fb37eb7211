"""Access credentials through the guest agent: SSH keys and passwords out of Secrets, again whenever these change.

What a Secret holds is all that a user's authorized_keys holds afterwards. Secrets stay here and in the agent's channel:
no message, event or log line has a value. Source: kubevirt pkg/virt-launcher/virtwrap/access-credentials.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from solovirt.api.kubevirt.spec.credentials import AccessCredential
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import Condition
from solovirt.controllers.events import Recorder
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError
from solovirt.kit.text import printable

CONDITION = "AccessCredentialsSynchronized"
RESYNC = 300.0
RETRY = 5.0
TURNS, PAUSE = 10, 2.0
"""After so many changes of its condition a machine waits so many seconds after each: a guest may open and close its
agent's port all the time."""
MAX_KEYS, MAX_KEY, MAX_PASSWORD = 1024, 16 * 1024, 4096
AGENT_OFFLINE = "Guest agent is offline"

SecretOf = Callable[[str, str], Mapping[str, bytes] | None]
"""Namespace and name -> the Secret's data."""


class CredentialError(Exception):
    """A sentence without any secret."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """``keys``: user -> lines of authorized_keys; ``passwords``: user -> password."""

    keys: dict[str, tuple[str, ...]]
    passwords: dict[str, bytes]


def secrets_of(vmi: VirtualMachineInstance) -> set[str]:
    """The Secrets that the agent's credentials come from."""
    return {name for credential in vmi.spec.access_credentials if (name := _secret_name(credential))}


def collect(vmi: VirtualMachineInstance, secret: SecretOf) -> Wanted:
    """Raises ``CredentialError`` for a Secret that is missing or holds something else."""
    keys: dict[str, tuple[str, ...]] = {}
    passwords: dict[str, bytes] = {}
    for credential in vmi.spec.access_credentials:
        name = _secret_name(credential)
        if not name:
            continue
        data = secret(vmi.metadata.namespace, name)
        if data is None:
            raise CredentialError(f'secret "{name}" not found')
        if credential.ssh_public_key is not None:
            agent = credential.ssh_public_key.propagation_method.qemu_guest_agent
            for user in agent.users if agent is not None else ():
                keys[user] = tuple(dict.fromkeys((*keys.get(user, ()), *_keys(name, data))))
        else:
            passwords.update(_passwords(name, data))
    return Wanted(keys, passwords)


def _secret_name(credential: AccessCredential) -> str:
    """That of a credential which goes through the agent."""
    key, password = credential.ssh_public_key, credential.user_password
    if key is not None and key.propagation_method.qemu_guest_agent is not None and key.source.secret is not None:
        return key.source.secret.secret_name
    agent = password is not None and password.propagation_method.qemu_guest_agent is not None
    if password is not None and agent and password.source.secret is not None:
        return password.source.secret.secret_name
    return ""


def _keys(name: str, data: Mapping[str, bytes]) -> list[str]:
    found: list[str] = []
    for key, value in data.items():
        try:
            lines = [line.strip() for line in value.decode("utf-8").splitlines()]
        except UnicodeDecodeError:
            raise CredentialError(f'secret "{name}": {printable(key, 64)} is not text') from None
        found += [line for line in lines if line and not line.startswith("#")]
    if len(found) > MAX_KEYS or any(len(line) > MAX_KEY for line in found):
        raise CredentialError(
            f'secret "{name}" has more than {MAX_KEYS} keys, or one of more than {MAX_KEY} characters'
        )
    return found


def _passwords(name: str, data: Mapping[str, bytes]) -> Mapping[str, bytes]:
    for user, password in data.items():
        if not password or len(password) > MAX_PASSWORD or b"\n" in password or b"\0" in password:
            raise CredentialError(f'secret "{name}": the password of {printable(user, 64)} is empty or no single line')
    return data


async def give(agent: GuestAgent, wanted: Wanted) -> None:
    """Tells the guest. Raises ``GuestError``, ``CredentialError``."""
    for user, keys in wanted.keys.items():
        await agent.command("guest-ssh-add-authorized-keys", {"username": user, "keys": list(keys), "reset": True})
    for user, password in wanted.passwords.items():
        encoded = base64.b64encode(password).decode("ascii")
        try:
            await agent.command("guest-set-user-password", {"username": user, "password": encoded, "crypted": False})
        except GuestError as error:
            # Not what the guest says: it could say the password.
            text = f"guest-set-user-password failed for user {printable(user, 64)}: {error.reason}"
            raise CredentialError(text) from error


@dataclass(slots=True)
class _Kept:
    vmi: VirtualMachineInstance
    instance: Instance
    wake: asyncio.Event
    task: asyncio.Task[None] | None = None
    told: Wanted | None = None
    outcome: str | None = None
    turns: int = 0


class Credentials:
    """``changed(uid)`` is called when ``condition`` has become another."""

    def __init__(self, events: Recorder, secret: SecretOf, changed: Callable[[str], None]) -> None:
        self._events = events
        self._secret = secret
        self._changed = changed
        self._kept: dict[str, _Kept] = {}
        self._tasks = TaskSet("credentials")

    def watch(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        """The machine runs: keep its users' credentials as the Secrets are. May be called again."""
        uid = vmi.metadata.uid
        known = self._kept.get(uid)
        if known is not None and known.instance is instance:
            known.vmi = vmi
            return
        if not secrets_of(vmi):
            return
        self.forget(uid)
        kept = self._kept[uid] = _Kept(vmi, instance, asyncio.Event())
        kept.task = self._tasks.spawn(self._keep(kept), f"credentials {uid}")

    def secret_changed(self, namespace: str, name: str) -> None:
        for kept in self._kept.values():
            if kept.vmi.metadata.namespace == namespace and name in secrets_of(kept.vmi):
                kept.wake.set()

    def agent_connected(self, uid: str) -> None:
        """A guest that boots again may have lost them."""
        kept = self._kept.get(uid)
        if kept is not None:
            kept.told = None
            kept.wake.set()

    def condition(self, uid: str) -> Condition | None:
        kept = self._kept.get(uid)
        if kept is None or kept.outcome is None:
            return None
        return Condition(type=CONDITION, status="False" if kept.outcome else "True", message=kept.outcome)

    def forget(self, uid: str) -> None:
        kept = self._kept.pop(uid, None)
        if kept is not None and kept.task is not None:
            kept.task.cancel()

    async def close(self) -> None:
        await self._tasks.close()

    async def _keep(self, kept: _Kept) -> None:
        loop = asyncio.get_running_loop()
        forced = loop.time()
        while not kept.instance.has_exited:
            kept.wake.clear()
            if loop.time() >= forced:
                kept.told, forced = None, loop.time() + RESYNC
            problem = await self._sync(kept)
            if problem != kept.outcome:
                kept.outcome = problem
                self._tell(kept.vmi, problem)
                self._changed(kept.vmi.metadata.uid)
                kept.turns += 1
                await asyncio.sleep(PAUSE if kept.turns > TURNS else 0)
            waits = RETRY if problem else max(0.0, forced - loop.time())
            try:
                async with asyncio.timeout(waits):
                    await kept.wake.wait()
            except TimeoutError:
                continue

    async def _sync(self, kept: _Kept) -> str:
        """What went wrong; "" when the guest has what the Secrets have."""
        if not kept.instance.agent.connected:
            kept.told = None
            return AGENT_OFFLINE
        try:
            wanted = collect(kept.vmi, self._secret)
            if wanted != kept.told:
                await give(kept.instance.agent, wanted)
                kept.told = wanted
        except CredentialError as error:
            return str(error)
        except GuestError as error:
            hint = "; the guest needs a newer qemu-guest-agent" if error.reason == "CommandNotFound" else ""
            return printable(f"{error}{hint}", 512)
        return ""

    def _tell(self, vmi: VirtualMachineInstance, problem: str) -> None:
        if problem:
            self._events.warning(vmi, "AccessCredentialsSyncFailed", f"Access credentials sync failed: {problem}")
        else:
            self._events.normal(vmi, "AccessCredentialsSyncSuccess", "Access credentials sync successful.")
