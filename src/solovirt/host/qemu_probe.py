"""Asks one QEMU binary over QMP what it can do.

Starts it without a machine (``-machine none``), so nothing is emulated and the answer comes in about 0.1 s.
Knows nothing of caches, of the host, or of what the answers are used for.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from qemu.qmp import ConnectError, ExecuteError, QMPClient, QMPError

from solovirt.host.model.facts import CPUModel, MachineType, QemuFacts
from solovirt.kit.errors import HostError
from solovirt.kit.json import JsonObject, get_int, get_list, get_object, get_str

OLDEST = (7, 2)
_SWITCHES = frozenset({"check", "enforce", "migratable", "realized", "start-powered-off"})
_ASKED = {"virtio-blk-pci": frozenset({"iothread-vq-mapping"})}
"""Properties of devices that not every QEMU has."""
TIME_LIMIT = 20.0
"""Seconds for the whole conversation, far above the 0.3 s of a busy machine."""


async def ask(binary: Path, accel: str) -> QemuFacts:
    """Everything compile needs to know of this binary. CPU models depend on the accelerator ("kvm" or "tcg").

    Raises ``HostError``: reason ``QEMUFailed`` (it does not start or does not answer) or ``QEMUTooOld``.
    """
    try:
        async with asyncio.timeout(TIME_LIMIT), _conversation(binary, accel) as qmp:
            version, package = await _version(qmp)
            if version[:2] < OLDEST:
                raise HostError(
                    f"{binary} is QEMU {'.'.join(map(str, version))}",
                    reason="QEMUTooOld",
                    hint=f"QEMU {OLDEST[0]}.{OLDEST[1]} or newer is needed; SOLOVIRT_QEMU names another binary",
                )
            return await _facts(qmp, str(binary), accel, version, package)
    except TimeoutError:
        raise _failed(binary, f"no answer over QMP within {TIME_LIMIT:.0f} s") from None
    except QMPError as error:
        raise _failed(binary, str(error)) from error


async def sev(binary: Path) -> JsonObject:
    """``query-sev-capabilities``; {} from a QEMU that may not use the CPU's, or cannot be asked. With KVM only."""
    try:
        async with asyncio.timeout(TIME_LIMIT), _conversation(binary, "kvm") as qmp:
            return await _object(qmp, "query-sev-capabilities")
    except (ExecuteError, TimeoutError, HostError):
        return {}


async def _facts(qmp: QMPClient, binary: str, accel: str, version: tuple[int, int, int], package: str) -> QemuFacts:
    return QemuFacts(
        binary=binary,
        version=version,
        package=package,
        arch=get_str(await _object(qmp, "query-target"), "arch"),
        machines=tuple(machine_types(await _objects(qmp, "query-machines"))),
        devices=await _types(qmp, "device"),
        objects=await _types(qmp, "user-creatable"),
        cpu_models=tuple(cpu_models(await _objects(qmp, "query-cpu-definitions"))),
        cpu_features=await _cpu_features(qmp, accel),
        netdevs=await _netdevs(qmp),
        properties=await _properties(qmp),
        options=frozenset(
            name for entry in await _objects(qmp, "query-command-line-options") if (name := get_str(entry, "option"))
        ),
    )


def machine_types(entries: list[JsonObject]) -> list[MachineType]:
    """``query-machines`` as values, by name."""
    found = [
        MachineType(
            name=get_str(entry, "name"),
            alias=get_str(entry, "alias"),
            cpu_max=get_int(entry, "cpu-max", 1),
            deprecated=entry.get("deprecated") is True,
        )
        for entry in entries
    ]
    return sorted(found, key=lambda machine: machine.name)


def cpu_models(entries: list[JsonObject]) -> list[CPUModel]:
    """``query-cpu-definitions`` as values, by name."""
    found = [
        CPUModel(
            name=get_str(entry, "name"),
            missing=tuple(
                sorted({feature for feature in get_list(entry, "unavailable-features") if isinstance(feature, str)})
            ),
        )
        for entry in entries
    ]
    return sorted(found, key=lambda model: model.name)


def cpu_features(answer: JsonObject) -> dict[str, bool]:
    """``query-cpu-model-expansion`` as features: its boolean properties, without those that are switches of QEMU."""
    props = get_object(get_object(answer, "model"), "props")
    return {
        name: value
        for name, value in sorted(props.items())
        if isinstance(value, bool) and name not in _SWITCHES and not name.startswith("x-")
    }


async def _cpu_features(qmp: QMPClient, accel: str) -> dict[str, bool]:
    """Nothing for a QEMU that cannot expand its widest model: then nobody judges features before QEMU does."""
    widest: JsonObject = {"name": "host" if accel == "kvm" else "max"}
    try:
        answer = await qmp.execute("query-cpu-model-expansion", {"type": "full", "model": widest})
    except ExecuteError:
        return {}
    return cpu_features(answer if isinstance(answer, dict) else {})


def netdev_kinds(schema: list[JsonObject]) -> frozenset[str]:
    """Kinds that ``netdev_add`` takes, from ``query-qmp-schema``: the branches of its argument's ``type``."""
    by_name = {get_str(entry, "name"): entry for entry in schema}
    command = by_name.get("netdev_add", {})
    argument = by_name.get(get_str(command, "arg-type"), {})
    tag = get_str(argument, "tag")
    for member in get_list(argument, "members"):
        if isinstance(member, dict) and member.get("name") == tag:
            values = get_list(by_name.get(get_str(member, "type"), {}), "values")
            return frozenset(value for value in values if isinstance(value, str)) - {"none", "nic"}
    return frozenset()


async def _netdevs(qmp: QMPClient) -> frozenset[str]:
    """The schema lists "user" even in a QEMU built without slirp, so that one is tried; it has no effect outside."""
    kinds = netdev_kinds(await _objects(qmp, "query-qmp-schema"))
    try:
        await qmp.execute("netdev_add", {"type": "user", "id": "probe"})
    except ExecuteError:
        return kinds - {"user"}
    return kinds


async def _properties(qmp: QMPClient) -> frozenset[str]:
    """Which of the properties in ``_ASKED`` there are."""
    found: set[str] = set()
    for device, names in _ASKED.items():
        try:
            entries = await _objects(qmp, "device-list-properties", {"typename": device})
        except ExecuteError:
            continue
        found |= {f"{device}.{name}" for entry in entries if (name := get_str(entry, "name")) in names}
    return frozenset(found)


async def _version(qmp: QMPClient) -> tuple[tuple[int, int, int], str]:
    answer = await _object(qmp, "query-version")
    numbers = get_object(answer, "qemu")
    return (get_int(numbers, "major"), get_int(numbers, "minor"), get_int(numbers, "micro")), get_str(answer, "package")


async def _types(qmp: QMPClient, implements: str) -> frozenset[str]:
    entries = await _objects(qmp, "qom-list-types", {"implements": implements, "abstract": False})
    return frozenset(get_str(entry, "name") for entry in entries)


async def _object(qmp: QMPClient, command: str) -> JsonObject:
    answer = await qmp.execute(command)
    return answer if isinstance(answer, dict) else {}


async def _objects(qmp: QMPClient, command: str, arguments: dict[str, object] | None = None) -> list[JsonObject]:
    answer = await qmp.execute(command, arguments)
    return [entry for entry in answer if isinstance(entry, dict)] if isinstance(answer, list) else []


@contextlib.asynccontextmanager
async def _conversation(binary: Path, accel: str) -> AsyncIterator[QMPClient]:
    """QEMU at the other end of a socket pair; it is gone when the block ends."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *argv(binary, accel, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
    except OSError as error:
        ours.close()
        raise _failed(binary, error.strerror or str(error)) from error
    qmp = QMPClient("facts")
    try:
        try:
            await qmp.connect(ours)
        except ConnectError as error:
            ours.close()
            _, told = await process.communicate()
            raise _failed(binary, told[-1024:].decode(errors="replace").strip() or "it does not speak QMP") from error
        try:
            yield qmp
        finally:
            await qmp.disconnect()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def argv(binary: Path, accel: str, descriptor: int) -> list[str]:
    """QEMU's command line for the conversation on an inherited socket."""
    return [
        str(binary),
        "-machine", f"none,accel={accel}",
        "-nodefaults",
        "-no-user-config",
        "-display", "none",
        "-S",
        "-chardev", f"socket,id=qmp,fd={descriptor}",
        "-mon", "chardev=qmp,mode=control",
    ]  # fmt: skip


def _failed(binary: Path, why: str) -> HostError:
    return HostError(
        f"{binary} cannot be asked what it can do: {why}",
        reason="QEMUFailed",
        hint="apt install --reinstall qemu-system-x86; SOLOVIRT_QEMU names another binary",
    )
