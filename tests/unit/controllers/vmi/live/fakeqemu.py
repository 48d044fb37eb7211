"""A machine's block layer and devices, as far as disks that come and go need them: QMP's answers and refusals."""

from __future__ import annotations

from typing import cast

from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError, TimedOut
from solovirt.kit.json import Json, JsonObject, get_object, get_str


class FakeQemu:
    """``keeps``: the guest lets no device go; ``locks``: it holds trays; ``fails``: commands that QEMU refuses."""

    uid = "fake"
    has_exited = False

    def __init__(self) -> None:
        self.devices: dict[str, JsonObject] = {}
        self.nodes: dict[str, JsonObject] = {}
        self.media: dict[str, str] = {}
        self.open_trays: set[str] = set()
        self.keeps = False
        self.locks = False
        self.busy = 0
        self.fails: dict[str, GuestError | TimedOut] = {}
        self.commands: list[str] = []
        self.happenings = Happenings()

    @property
    def instance(self) -> Instance:
        return cast(Instance, self)

    def drive(self, device: str, kind: str = "ide-cd") -> None:
        """An empty CD-ROM drive that was there from the start."""
        self.devices[device] = {"driver": kind, "id": device}
        self.media[device] = ""

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30) -> Json:
        self.commands.append(command)
        if command in self.fails:
            raise self.fails[command]
        handler = getattr(self, "_" + command.replace("-", "_"))
        return cast(Json, handler(arguments or {}))

    def _qom_list(self, given: JsonObject) -> Json:
        return [{"name": name, "type": f"child<{get_str(device, 'driver')}>"} for name, device in self.devices.items()]

    def _query_pci(self, given: JsonObject) -> Json:
        return []

    def _query_iothreads(self, given: JsonObject) -> Json:
        return [{"id": "iothread1"}]

    def _query_named_block_nodes(self, given: JsonObject) -> Json:
        return [
            {
                "node-name": name,
                "drv": get_str(node, "driver"),
                "file": get_str(node, "filename"),
                "ro": node.get("read-only") is True,
                "image": {"virtual-size": node.get("size", 1 << 20)},
            }
            for name, node in self.nodes.items()
        ]

    def _query_block(self, given: JsonObject) -> Json:
        found: list[Json] = []
        for device, node in self.media.items():
            one: JsonObject = {"qdev": device, "removable": True, "tray_open": device in self.open_trays}
            one["locked"] = self.locks and bool(node)
            found.append({**one, "inserted": {"node-name": node}} if node else one)
        return found

    def _blockdev_add(self, given: JsonObject) -> Json:
        name = get_str(given, "node-name")
        if name in self.nodes:
            raise GuestError(f"Duplicate nodes with node-name='{name}'", reason="GenericError")
        self.nodes[name] = given
        return {}

    def _blockdev_del(self, given: JsonObject) -> Json:
        name = get_str(given, "node-name")
        if name not in self.nodes:
            raise GuestError(f"Failed to find node with node-name='{name}'", reason="GenericError")
        users = [*self.media.values(), *(get_str(node, "file") for node in self.nodes.values())]
        users += [get_str(device, "drive") for device in self.devices.values()]
        if name in users or self.busy:
            self.busy = max(self.busy - 1, 0)
            raise GuestError(f"Node {name} is in use", reason="GenericError")
        del self.nodes[name]
        return {}

    def _device_add(self, given: JsonObject) -> Json:
        assert get_str(given, "drive") in self.nodes
        self.devices[get_str(given, "id")] = given
        return {}

    def _device_del(self, given: JsonObject) -> Json:
        name = get_str(given, "id")
        if name not in self.devices:
            raise GuestError(f"Device '{name}' not found", reason="DeviceNotFound")
        if self.keeps:
            self.happenings.tell("DEVICE_UNPLUG_GUEST_ERROR", {"device": name})
        else:
            del self.devices[name]
            self.happenings.tell("DEVICE_DELETED", {"device": name})
        return {}

    def _blockdev_open_tray(self, given: JsonObject) -> Json:
        device = get_str(given, "id")
        if not self.locks or not self.media[device] or given.get("force") is True:
            self.open_trays.add(device)
        return {}

    def _blockdev_close_tray(self, given: JsonObject) -> Json:
        self.open_trays.discard(get_str(given, "id"))
        return {}

    def _blockdev_remove_medium(self, given: JsonObject) -> Json:
        device = get_str(given, "id")
        if device not in self.open_trays:
            raise GuestError(f"Tray of device '{device}' is not open", reason="GenericError")
        self.media[device] = ""
        return {}

    def _blockdev_insert_medium(self, given: JsonObject) -> Json:
        assert get_str(given, "id") in self.open_trays
        self.media[get_str(given, "id")] = get_str(given, "node-name")
        return {}

    def _block_resize(self, given: JsonObject) -> Json:
        node = self.nodes[get_str(given, "node-name")]
        self.nodes[get_str(given, "node-name")] = {**node, "size": given["size"]}
        return {}

    def plugged(self, device: str) -> JsonObject:
        return get_object(dict(self.devices), device)
