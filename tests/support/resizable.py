"""A QEMU with places for vCPUs, a virtio-mem device and DIMM slots, and a guest whose answers a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.memorydevices import Region
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.plugging import EJECT, INSERT
from solovirt.kit.errors import GuestError, SolovirtError
from solovirt.kit.json import Json, JsonObject, get_int, get_str

MIB = 1024**2
BLOCK = 128 * MIB
"""What the guest counts its memory in."""
_PERIPHERAL = "/machine/peripheral/"

Ost = Callable[[str], int | None]
"""The guest's status word about a device ("vcpu2", "dimm0"); None: it says nothing."""


class GuestAgent:
    """What the guest says of itself. ``stubborn``: CPUs that it does not take off line; ``lazy``: what is plugged
    stays off line until it is asked for."""

    def __init__(self) -> None:
        self.connected = True
        self.lazy = False
        self.cpus: dict[int, bool] = {}
        self.stubborn: set[int] = set()
        self.blocks: dict[int, bool] = {}
        self.refuse: dict[str, GuestError] = {}
        self.sent: list[str] = []

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        given = cast(dict[str, list[dict[str, int]]], arguments or {})
        self.sent.append(name)
        if name in self.refuse:
            raise self.refuse[name]
        match name:
            case "guest-get-vcpus":
                return [{"logical-id": n, "online": on, "can-offline": n > 0} for n, on in self.cpus.items()]
            case "guest-set-vcpus":
                for one in given["vcpus"]:
                    if not one["online"] and one["logical-id"] in self.stubborn:
                        raise GuestError(f"CPU {one['logical-id']} is \x1bbusy")
                    self.cpus[one["logical-id"]] = bool(one["online"])
                return len(given["vcpus"])
            case "guest-get-memory-block-info":
                return {"size": BLOCK}
            case "guest-get-memory-blocks":
                return [{"phys-index": n, "online": on, "can-offline": True} for n, on in self.blocks.items()]
            case "guest-set-memory-blocks":
                for one in given["mem-blks"]:
                    self.blocks[one["phys-index"]] = bool(one["online"])
                return []
        raise AssertionError(name)


class Machine:
    """``sockets`` of ``most`` are there at the start. ``refuse``: "command id" -> QEMU's error, which is raised every
    time; ``sent``: the commands that change something; ``asked``: the names of all commands."""

    uid = "uid"

    def __init__(self, sockets: int = 1, most: int = 4, *, cores: int = 1, kvm: bool = True) -> None:
        self.has_exited = False
        self.run_state = RunState.RUNNING
        self.happenings = Happenings()
        self.agent = GuestAgent()
        self.kvm = kvm
        self.cores, self.most = cores, most
        self.vcpus = {n: f"/machine/unattached/device[{n}]" for n in range(sockets * cores)}
        self.agent.cpus = dict.fromkeys(self.vcpus, True)
        self.base = 1024 * MIB
        self.agent.blocks = dict.fromkeys(range(self.base // BLOCK), True)
        self.region: Region | None = None
        self.driver: bool | None = True
        self.reach: Callable[[int], int] = lambda size: size
        """How much of a virtio-mem device the guest has plugged when it is asked for so much."""
        self.dimms: dict[str, JsonObject] = {}
        self.objects: dict[str, JsonObject] = {}
        self.taking: Ost = lambda device: 0
        self.giving: Ost = lambda device: 0
        self.refuse: dict[str, SolovirtError] = {}
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.holds: asyncio.Event | None = None
        """Until it is set no command is answered."""

    @property
    def instance(self) -> Instance:
        return cast(Instance, self)

    def has_region(self, size: int = 0, maximum: int = 3072 * MIB) -> None:
        self.region = Region("virtiomem0", size, size, maximum, 2 * MIB)

    def has_dimm(self, number: int, size: int) -> None:
        """One that somebody plugged before."""
        self._objects_add({"id": f"memdimm{number}", "size": size})
        self._dimm_add({"id": f"dimm{number}", "memdev": f"memdimm{number}"})

    async def qmp(  # noqa: PLR0911  (one for each query)
        self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30
    ) -> Json:
        self.asked.append(command)
        await asyncio.sleep(0)
        if self.holds is not None:
            await self.holds.wait()
        given = arguments or {}
        match command:
            case "query-kvm":
                return {"enabled": self.kvm, "present": True}
            case "query-hotpluggable-cpus":
                return [self._place(n) for n in reversed(range(self.most * self.cores))]
            case "query-memory-size-summary":
                return {"base-memory": self.base, "plugged-memory": 0}
            case "query-memory-devices":
                return self._memory_devices()
            case "qom-list":
                return self._list(get_str(given, "path"))
            case "x-query-virtio-status":
                if self.driver is None:
                    raise GuestError("The command x-query-virtio-status has not been found", reason="CommandNotFound")
                return {"status": {"statuses": ["ACKNOWLEDGE", *(["DRIVER_OK: it is there"] if self.driver else [])]}}
            case "qom-get":
                assert self.region is not None
                return self.region.size
        return self._change(command, given)

    def _change(self, command: str, given: JsonObject) -> Json:
        name = get_str(given, "id").removeprefix(_PERIPHERAL)
        word = f"{command} {name or get_int(given, 'value') // MIB}"
        self.sent.append(word)
        if word in self.refuse:
            raise self.refuse[word]
        match command:
            case "qom-set":
                self._request(get_int(given, "value"))
            case "object-add":
                self._objects_add(given)
            case "object-del":
                if name not in self.objects:
                    raise GuestError(f"object '{name}' not found")
                assert not any(str(one["memdev"]).endswith(f"/{name}") for one in self.dimms.values()), "in use"
                del self.objects[name]
            case "device_add" if given["driver"] == "pc-dimm":
                self._dimm_add(given)
                self._soon(name, INSERT)
            case "device_add":
                number = int(name.removeprefix("vcpu"))
                assert number not in self.vcpus, "twice"
                self.vcpus[number] = _PERIPHERAL + name
                self._soon(name, INSERT)
            case "device_del":
                assert name in self.dimms or get_str(given, "id") in self.vcpus.values(), name
                self._soon(name, EJECT)
            case _:
                raise AssertionError(command)
        return {}

    def _soon(self, name: str, source: int) -> None:
        asyncio.get_running_loop().call_soon(self._answer, name, source)

    # The guest

    def _answer(self, name: str, source: int) -> None:
        status = (self.taking if source == INSERT else self.giving)(name)
        number = next((n for n, path in self.vcpus.items() if path.endswith(name)), None)
        if status is None:
            return
        info: JsonObject = {"source": source, "status": status}
        if number is not None:
            info |= {"slot": str(number), "slot-type": "CPU"}
        else:
            info |= {"device": name, "slot": "0", "slot-type": "DIMM"}
        if status == 0 and source == INSERT:
            self._use(name, number)
        elif status == 0:
            self._let_go(name, number)
        self.happenings.tell("ACPI_DEVICE_OST", {"info": info})
        if status == 0 and source == EJECT:
            self.happenings.tell("DEVICE_DELETED", {"device": name, "path": _PERIPHERAL + name})

    def _use(self, name: str, number: int | None) -> None:
        if number is not None:
            self.agent.cpus[number] = not self.agent.lazy
            return
        for block in self._blocks_of(name):
            self.agent.blocks[block] = not self.agent.lazy

    def _let_go(self, name: str, number: int | None) -> None:
        if number is not None:
            del self.vcpus[number]
            self.agent.cpus.pop(number, None)
            return
        for block in self._blocks_of(name):
            self.agent.blocks.pop(block, None)
        del self.dimms[name]

    def _blocks_of(self, name: str) -> range:
        dimm = self.dimms[name]
        first = get_int(dimm, "addr") // BLOCK
        return range(first, first + -(-get_int(dimm, "size") // BLOCK))

    def _request(self, size: int) -> None:
        assert self.region is not None
        if size % self.region.block:
            raise GuestError("'requested-size' property has to be multiples of 'block-size'", reason="GenericError")
        old = self.region
        self.region = Region(old.device, self.reach(size), size, old.maximum, old.block)

    # QEMU's books

    def _place(self, number: int) -> JsonObject:
        props: JsonObject = {"socket-id": number // self.cores, "core-id": number % self.cores, "thread-id": 0}
        place: JsonObject = {"type": "host-x86_64-cpu", "vcpus-count": 1, "props": props}
        return place | ({"qom-path": self.vcpus[number]} if number in self.vcpus else {})

    def _memory_devices(self) -> Json:
        found: list[Json] = [{"type": "dimm", "data": data} for data in self.dimms.values()]
        if (one := self.region) is not None:
            data: JsonObject = {"id": one.device, "size": one.size, "requested-size": one.requested}
            data |= {"max-size": one.maximum, "block-size": one.block, "memaddr": one.address}
            found.append({"type": "virtio-mem", "data": data})
        return found

    def _list(self, path: str) -> Json:
        if path == "/objects":
            return [{"name": name, "type": "child<memory-backend>"} for name in ("pc.ram", *self.objects)]
        devices = {name: "pc-dimm" for name in self.dimms}
        if self.region is not None:
            devices[self.region.device] = "virtio-mem-pci"
        return [{"name": name, "type": f"child<{kind}>"} for name, kind in devices.items()]

    def _objects_add(self, given: JsonObject) -> None:
        name = get_str(given, "id")
        if name in self.objects:
            raise GuestError(f"attempt to add duplicate property '{name}'", reason="GenericError")
        self.objects[name] = given

    def _dimm_add(self, given: JsonObject) -> None:
        name, backend = get_str(given, "id"), get_str(given, "memdev")
        assert name not in self.dimms, "twice"
        size = get_int(self.objects[backend], "size")
        address = 4096 * MIB + sum(get_int(one, "size") for one in self.dimms.values())
        self.dimms[name] = {"id": name, "size": size, "slot": len(self.dimms), "addr": address}
        self.dimms[name]["memdev"] = f"/objects/{backend}"
