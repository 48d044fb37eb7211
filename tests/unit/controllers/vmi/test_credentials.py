from __future__ import annotations

import asyncio
from typing import cast

import pytest

from solovirt.api import registry
from solovirt.api.core.secret import Secret
from solovirt.api.kubevirt.spec.credentials import (
    AccessCredential,
    CredentialSource,
    PasswordAgentPropagation,
    PasswordPropagation,
    SecretReference,
    SSHAgentPropagation,
    SSHPropagation,
    SSHPublicKey,
    UserPassword,
)
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta, find_condition
from solovirt.controllers.vmi import credentials
from solovirt.controllers.vmi.credentials import CredentialError
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
from tests.support.waiting import until
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


def made() -> VirtualMachineInstance:
    vmi = lone_vmi()
    agent = SSHPropagation(qemu_guest_agent=SSHAgentPropagation(users=["root"]))
    password = PasswordPropagation(qemu_guest_agent=PasswordAgentPropagation())
    vmi.spec.access_credentials = [
        AccessCredential(ssh_public_key=SSHPublicKey(source=source("keys"), propagation_method=agent)),
        AccessCredential(user_password=UserPassword(source=source("words"), propagation_method=password)),
    ]
    return vmi


def source(name: str) -> CredentialSource:
    return CredentialSource(secret=SecretReference(secret_name=name))


def secrets(**found: dict[str, bytes]) -> credentials.SecretOf:
    return lambda namespace, name: found.get(name)


def test_what_is_wanted() -> None:
    vmi = made()
    assert credentials.secrets_of(vmi) == {"keys", "words"}
    keys = {"a": b"ssh-ed25519 AAA\n\n# note\nssh-rsa BBB\n", "b": b"ssh-ed25519 AAA"}
    wanted = credentials.collect(vmi, secrets(keys=keys, words={"root": b"x"}))
    assert wanted.keys == {"root": ("ssh-ed25519 AAA", "ssh-rsa BBB")}
    assert wanted.passwords == {"root": b"x"}


@pytest.mark.parametrize(
    ("keys", "words", "message"),
    [
        (None, {}, 'secret "keys" not found'),
        ({"a": b"\xff"}, {}, 'secret "keys": a is not text'),
        ({"a": b"k" * 20000}, {}, 'secret "keys" has more than'),
        ({}, {"root": b"one\ntwo"}, "the password of root is empty or no single line"),
        ({}, {"root": b""}, "the password of root is empty or no single line"),
    ],
)
def test_secrets_that_hold_something_else(keys: dict[str, bytes] | None, words: dict[str, bytes], message: str) -> None:
    found = {"words": words} if keys is None else {"keys": keys, "words": words}
    with pytest.raises(CredentialError, match=message):
        credentials.collect(made(), secrets(**found))


async def test_a_guest_that_says_the_password_is_not_quoted() -> None:
    class Liar(GuestAgent):
        async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
            raise GuestError(f"{name}: hunter2", reason="CommandFailed")

    liar = Liar(lambda: pytest.fail("connected"))
    with pytest.raises(CredentialError) as caught:
        await credentials.give(liar, credentials.Wanted({}, {"root": b"hunter2"}))
    assert str(caught.value) == "guest-set-user-password failed for user root: CommandFailed"


async def test_kept_as_the_secrets_are(lab: Lab) -> None:
    for name, data in (("keys", {"a": "c3NoLWtleQ=="}), ("words", {"root": "eA=="})):
        await lab.objects.create(
            registry.SECRETS, Secret(metadata=ObjectMeta(name=name, namespace="default"), data=data)
        )
    await lab.objects.create(VMIS, made())
    await lab.settle()

    def condition() -> tuple[str, str] | None:
        found = find_condition(lab.vmi("lone").status.conditions, credentials.CONDITION)
        return (found.status, found.message) if found is not None else None

    assert condition() == ("False", "Guest agent is offline")
    lab.host.machine.connect_agent()
    await until(lambda: condition() == ("True", ""))
    await lab.settle()
    commands = lab.host.machine.agent.commands
    assert commands.count("guest-ssh-add-authorized-keys") == commands.count("guest-set-user-password") == 1

    def renew(found: Secret) -> bool:
        found.data = {"a": "b3RoZXI="}
        return True

    await lab.objects.modify(registry.SECRETS, "default", "keys", renew)
    await lab.settle()
    await until(lambda: commands.count("guest-ssh-add-authorized-keys") == 2)
    await lab.settle()
    reasons = lab.reasons("VirtualMachineInstance")
    assert "AccessCredentialsSyncFailed" in reasons and "AccessCredentialsSyncSuccess" in reasons


async def test_an_agent_that_comes_and_goes_is_told_slowly(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "TURNS", 3)
    monkeypatch.setattr(credentials, "RETRY", 0.0)
    monkeypatch.setattr(credentials, "PAUSE", 3600.0)
    instance = cast(Instance, Flapping())
    told: list[str] = []
    kept = credentials.Credentials(lab.manager._site.events, secrets(keys={}, words={}), told.append)
    kept.watch(made(), instance)
    for _ in range(50):
        kept.agent_connected(made().metadata.uid)
        await asyncio.sleep(0.002)
    assert len(told) == 4
    kept.forget(made().metadata.uid)
    await kept.close()


class Flapping:
    """A guest whose agent is there at every second look."""

    has_exited = False

    def __init__(self) -> None:
        self.looks = 0

    @property
    def agent(self) -> Flapping:
        return self

    @property
    def connected(self) -> bool:
        self.looks += 1
        return self.looks % 2 == 0

    async def command(self, name: str, arguments: JsonObject) -> Json:
        return None
