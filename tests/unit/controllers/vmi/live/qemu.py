"""A QEMU of names only: devices, netdevs and chardevs come and go by QMP; a guest that lets devices go, or does not."""

from __future__ import annotations

import asyncio
from typing import cast

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject, clone
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


class Qemu:
    """``refuse``: command (with the id, if it has one) -> QEMU's error. ``sent`` are commands that change something;
    ``shares``: its memory can be mapped by others."""

    has_exited = False

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.happenings = Happenings()
        self.devices: dict[str, JsonObject] = {}
        self.netdevs: dict[str, JsonObject] = {}
        self.chardevs: set[str] = set()
        self.refuse: dict[str, GuestError] = {}
        self.obedient = True
        self.shares = True
        self.asked: list[str] = []
        self.sent: list[tuple[str, JsonObject]] = []

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30) -> Json:
        await asyncio.sleep(0)
        given = arguments or {}
        name = str(given.get("id", given.get("name", "")))
        match command:
            case "qom-list":
                return [{"name": one, "type": f"child<{made['driver']}>"} for one, made in self.devices.items()]
            case "human-monitor-command":
                return "".join(f"{one}: index=0,type=user,net=10.0.2.0\n" for one in self.netdevs)
            case "query-chardev":
                return [{"label": one, "filename": "x"} for one in self.chardevs]
            case "query-pci":
                return []
            case "query-memdev":
                return [{"id": "pc.ram", "share": self.shares}]
        self.sent.append((command, given))
        if (error := self.refuse.get(f"{command} {name}".strip())) is not None:
            raise error
        self._do(command, name, given)
        return {}

    def _do(self, command: str, name: str, given: JsonObject) -> None:
        match command:
            case "netdev_add":
                assert name not in self.netdevs, "twice"
                self.netdevs[name] = given
            case "netdev_del":
                self._there(name, self.netdevs)
                del self.netdevs[name]
            case "chardev-add":
                assert name not in self.chardevs, "twice"
                self.chardevs.add(name)
            case "chardev-remove":
                self._there(name, self.chardevs)
                self.chardevs.discard(name)
            case "device_add":
                assert name not in self.devices, "twice"
                assert given.get("netdev", "") in {"", *self.netdevs}
                assert given.get("chardev", "") in {"", *self.chardevs}
                self.devices[name] = given
            case "device_del":
                self._there(name, self.devices)
                self.asked.append(name)
                if self.obedient:
                    asyncio.get_running_loop().call_soon(self.let_go, name)
            case "set_link" | "set-action":
                pass
            case _:
                raise AssertionError(command)

    def let_go(self, name: str) -> None:
        del self.devices[name]
        self.happenings.tell("DEVICE_DELETED", {"device": name, "path": f"/machine/peripheral/{name}"})

    def _there(self, name: str, known: object) -> None:
        assert isinstance(known, dict | set)
        if name not in known:
            raise GuestError(f"{name} not found", reason="DeviceNotFound")

    def commands(self, *names: str) -> list[str]:
        return [command for command, _ in self.sent if command in names]


class Bench:
    """One VMI of a lab whose machine is a :class:`Qemu`; ``vmi`` is what its spec is to become."""

    def __init__(self, lab: Lab, vmi: VirtualMachineInstance) -> None:
        self.lab = lab
        self.vmi = clone(vmi)
        self.qemu = Qemu(vmi.metadata.uid)
        self.site: Site = lab.manager._site
        self.told: list[Report] = []

    @property
    def update(self) -> Update:
        records = self.lab.manager._vmis.records
        return Update(self.site, records, self.vmi, cast(Instance, self.qemu), self.told.append)

    async def reasons(self) -> list[str]:
        await self.site.events.flush()
        return self.lab.reasons("VirtualMachineInstance")


async def bench(lab: Lab, vmi: VirtualMachineInstance | None = None) -> Bench:
    made = await lab.objects.create(VMIS, vmi or lone_vmi())
    await lab.settle()
    return Bench(lab, lab.vmi(made.metadata.name))
