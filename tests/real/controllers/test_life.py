"""Probes, access credentials, placement and dedicated CPUs with a real guest: many assertions in few boots."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from pathlib import Path

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
from solovirt.api.kubevirt.spec.interfaces import Port
from solovirt.api.kubevirt.spec.probes import (
    ExecAction,
    GuestAgentPing,
    HTTPGetAction,
    HTTPHeader,
    Probe,
    TCPSocketAction,
)
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta, find_condition
from solovirt.controllers.vmi import probe_actions
from solovirt.controllers.vmi.probe_actions import Reach, Target
from solovirt.hypervisor import pinning
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import Forbidden
from tests.real.controllers.conftest import VMIS, VMS, Home

pytestmark = pytest.mark.real

SCRIPT = """#!/bin/sh
mkdir -p /www/cgi-bin
echo fine > /www/index.html
printf '#!/bin/sh\\necho "Status: ${HTTP_X_ANSWER:-404} x"\\necho\\n' > /www/cgi-bin/answer
printf '#!/bin/sh\\nread line; echo "${line%%%%:*}" > /run/password.of\\n' > /bin/chpasswd
chmod +x /www/cgi-bin/answer /bin/chpasswd
touch /run/alive
httpd -p 8080 -h /www
nc -ll -p 7000 -e /bin/cat &
nc -ll -p 7001 -e /bin/true &
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ{} test"


@dataclass(frozen=True)
class Command:
    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    input: bytes = b""
    timeout: float = 30.0


async def make(home: Home, vm: VirtualMachine, strategy: str) -> None:
    vm.metadata = ObjectMeta(name="hello", namespace="default")
    vm.spec.run_strategy = strategy
    for volume in vm.spec.template.spec.volumes:
        if volume.cloud_init_no_cloud is not None:
            volume.cloud_init_no_cloud.user_data = SCRIPT
    await home.objects.create(VMS, vm)


async def template(home: Home) -> VirtualMachine:
    vm = await home.hello("Halted")
    await home.objects.delete(VMS, "default", "hello")
    await home.until(lambda: home.objects.find(VMS, "default", "hello") is None)
    return vm


def secret(name: str, **data: str) -> Secret:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return Secret(metadata=ObjectMeta(name=name, namespace="default"), data=encoded)


async def change(home: Home, name: str, **data: str) -> None:
    def renew(found: Secret) -> bool:
        found.data = secret(name, **data).data
        return True

    await home.objects.modify(registry.SECRETS, "default", name, renew)


def instance_of(home: Home) -> Instance:
    found = home.manager._vmis.machines.known(home.vmi().metadata.uid)
    assert found is not None
    return found


def ready(home: Home) -> tuple[str, str]:
    found = find_condition(home.vm().status.conditions, "Ready")
    assert found is not None
    return found.status, found.reason


async def in_guest(home: Home, *words: str) -> str:
    result = await home.manager.operations.guest.guest_exec("default", "hello", Command(words))
    return result.stdout.decode().strip()


async def test_probes_and_credentials(home: Home) -> None:
    vm = await template(home)
    spec = vm.spec.template.spec
    spec.domain.devices.interfaces[0].ports = [Port(name="web", port=8080)]
    page = HTTPGetAction(port="web", path="/index.html", scheme="HTTP")
    spec.readiness_probe = Probe(http_get=page, period_seconds=1, timeout_seconds=10, failure_threshold=1)
    spec.liveness_probe = Probe(
        exec=ExecAction(command=["cat", "/run/alive"]),
        initial_delay_seconds=20,
        period_seconds=1,
        timeout_seconds=10,
        failure_threshold=2,
    )
    agent = SSHPropagation(qemu_guest_agent=SSHAgentPropagation(users=["root"]))
    password = PasswordPropagation(qemu_guest_agent=PasswordAgentPropagation())
    spec.access_credentials = [
        AccessCredential(ssh_public_key=SSHPublicKey(source=_source("keys"), propagation_method=agent)),
        AccessCredential(user_password=UserPassword(source=_source("words"), propagation_method=password)),
    ]
    await home.objects.create(registry.SECRETS, secret("keys", one=KEY.format("1")))
    await home.objects.create(registry.SECRETS, secret("words", root="two\nlines"))
    await make(home, vm, "RerunOnFailure")
    await home.until(lambda: home.phase() == "Running")
    await home.until(lambda: ready(home) == ("False", "ContainersNotReady"), "not ready before its probe")
    await home.until(lambda: ready(home) == ("True", ""), "ready by httpGet")
    await home.agent()
    await _handlers(home)
    await _credentials(home)
    with pytest.raises(Forbidden, match="Pausing VMIs with LivenessProbe"):
        await home.manager.operations.machine.pause("default", "hello")
    status = home.vmi().status
    assert status.qos_class == "Burstable"
    assert {one.name: one.size > 0 for one in status.volume_status} == {"root": True, "cloudinit": True}
    assert find_condition(status.conditions, "AgentVersionNotSupported") is None
    await in_guest(home, "killall", "httpd")
    await home.until(lambda: ready(home) == ("False", "ContainersNotReady"), "not ready any more")
    first = home.vmi().metadata.uid
    await in_guest(home, "rm", "/run/alive")
    await home.until(lambda: home.find_vmi() is None or home.vmi().metadata.uid != first, "ended by its liveness")
    events = {(one.reason, one.message) for one in home.objects.list(registry.EVENTS).items}
    assert any(reason == "Unhealthy" and "cat: exit code 1" in text for reason, text in events)
    assert any(reason == "Killing" for reason, _ in events)
    assert any(reason == "Stopped" and "Liveness probe failed" in text for reason, text in events)
    assert not any("secret word" in text for _, text in events)


def _source(name: str) -> CredentialSource:
    return CredentialSource(secret=SecretReference(secret_name=name))


async def _handlers(home: Home) -> None:
    """Every handler, right and wrong, against the guest that runs anyway."""
    instance = instance_of(home)
    target = Target(instance, Reach("10.0.2.2", "hostua-default"), {"web": 8080, "echo": 7000})

    async def tried(probe: Probe) -> str:
        probe.timeout_seconds = 20
        return await probe_actions.attempt(probe, target)

    def http(path: str, **headers: str) -> Probe:
        given = [HTTPHeader(name=name.replace("_", "-"), value=value) for name, value in headers.items()]
        return Probe(http_get=HTTPGetAction(port=8080, path=path, http_headers=given))

    assert await tried(Probe(guest_agent_ping=GuestAgentPing())) == ""
    assert await tried(Probe(exec=ExecAction(command=["sh", "-c", "exit 0"]))) == ""
    assert "exit code 7: why" in await tried(Probe(exec=ExecAction(command=["sh", "-c", "echo why; exit 7"])))
    assert await tried(Probe(tcp_socket=TCPSocketAction(port="echo"))) == ""
    assert await tried(Probe(tcp_socket=TCPSocketAction(port=7001))) == "", "a server that hangs up at once"
    assert await tried(Probe(tcp_socket=TCPSocketAction(port=7999))) == "connection refused"
    assert 'no interface has a port named "nope"' in await tried(Probe(tcp_socket=TCPSocketAction(port="nope")))
    assert await tried(http("index.html")) == ""
    assert await tried(http("/cgi-bin/answer", X_Answer="204")) == ""
    assert "statuscode: 404" in await tried(http("/none"))
    assert "statuscode: 503" in await tried(http("/cgi-bin/answer", X_Answer="503"))
    echo = Probe(http_get=HTTPGetAction(port=7000, scheme="HTTPS"))
    assert await tried(echo) != "", "no TLS there"
    left = await instance.qmp("human-monitor-command", {"command-line": "info usernet"})
    assert "HOST_FORWARD" not in str(left), "nothing stays open"


async def _credentials(home: Home) -> None:
    def condition() -> tuple[str, str]:
        found = find_condition(home.vmi().status.conditions, "AccessCredentialsSynchronized")
        return (found.status, found.message) if found is not None else ("", "")

    wrong = 'secret "words": the password of root is empty or no single line'
    await home.until(lambda: condition() == ("False", wrong))
    await change(home, "words", root="secret word")
    await home.until(lambda: condition() == ("True", ""), "credentials synchronized")
    assert await in_guest(home, "cat", "/root/.ssh/authorized_keys") == KEY.format("1")
    assert await in_guest(home, "cat", "/run/password.of") == "root"
    await change(home, "keys", a=KEY.format("2"), b=KEY.format("3"))
    wanted = KEY.format("2") + "\n" + KEY.format("3")
    for _ in range(100):
        if await in_guest(home, "cat", "/root/.ssh/authorized_keys") == wanted:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("a changed secret does not reach the guest")


async def test_placement_and_dedicated_cpus(home: Home) -> None:
    vm = await template(home)
    spec = vm.spec.template.spec
    spec.node_selector = {"disk": "fast"}
    assert spec.domain.cpu is not None
    spec.domain.cpu.cores = 1
    spec.domain.cpu.max_sockets = 1
    spec.domain.cpu.dedicated_cpu_placement = True
    allowed = sorted(os.sched_getaffinity(0))
    spec.domain.cpu.isolate_emulator_thread = len(allowed) > 1
    spec.domain.reboot_policy = "Terminate"
    await make(home, vm, "Always")
    await home.until(lambda: home.shown() == "ErrorUnschedulable")
    found = find_condition(home.vm().status.conditions, "PodScheduled")
    assert found is not None
    text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    assert (found.status, found.reason, found.message.startswith(text)) == ("False", "Unschedulable", True)
    assert "SOLOVIRT_NODE_LABELS=disk=fast" in found.message

    def loosen(changed: VirtualMachine) -> bool:
        changed.spec.template.spec.node_selector = {"kubernetes.io/os": "linux"}
        return True

    await home.objects.modify(VMS, "default", "hello", loosen)
    await home.until(lambda: home.phase() == "Running", "starts by itself once it may")
    assert find_condition(home.vmi().status.conditions, "PodScheduled") is None
    assert home.vmi().status.qos_class == "Guaranteed"
    await _pinned(home, allowed)
    await _no_second(home, vm, allowed)
    # A guest that boots anew ends its VMI, and the VM makes another.
    await home.agent()
    first = home.vmi().metadata.uid
    instance = instance_of(home)
    await instance.agent.command("guest-shutdown", {"mode": "reboot"}, timeout=5)
    await home.until(lambda: home.find_vmi() is None or home.vmi().metadata.uid != first, "reboot terminates")


async def _pinned(home: Home, allowed: list[int]) -> None:
    instance = instance_of(home)
    (vcpu,) = pinning.thread_ids(await instance.qmp("query-cpus-fast")).values()
    (mine,) = os.sched_getaffinity(vcpu)
    others = {
        frozenset(os.sched_getaffinity(int(entry.name)))
        for entry in Path(f"/proc/{instance.pid}/task").iterdir()
        if int(entry.name) != vcpu
    }
    assert len(others) == 1
    assert (mine in others.pop()) is (len(allowed) == 1)
    record = home.manager._vmis.records.launch(home.vmi().metadata.uid)
    assert record is not None
    assert record.cpus is not None
    assert record.cpus.vcpus == (mine,)


async def _no_second(home: Home, vm: VirtualMachine, allowed: list[int]) -> None:
    """CPUs that are taken are nobody else's, also after a restart of the daemon."""
    await home.restart()
    spec = vm.spec.template.spec
    spec.node_selector = {}
    assert spec.domain.cpu is not None
    spec.domain.cpu.cores = len(allowed)
    second = VirtualMachineInstance(metadata=ObjectMeta(name="second", namespace="default"), spec=spec)
    await home.objects.create(VMIS, second)

    def message() -> str:
        found = find_condition(home.objects.get(VMIS, "default", "second").status.conditions, "PodScheduled")
        return found.message if found is not None else ""

    await home.until(lambda: "1 Insufficient cpu" in message())
    assert "dedicatedCpuPlacement wants" in message()
    await home.objects.delete(VMIS, "default", "second")
    await home.until(lambda: home.objects.find(VMIS, "default", "second") is None)
