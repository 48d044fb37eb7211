"""Small machines without a guest: QEMU as the product starts it, with sockets in a short-lived directory."""

from __future__ import annotations

import asyncio
import uuid as uuids
from pathlib import Path

from solovirt.host.model.bindings import Sockets
from solovirt.hypervisor.model import InstanceEvent, Launch

BINARY = "/usr/bin/qemu-system-x86_64"


def machine(
    root: Path,
    name: str = "vm",
    *,
    extra: tuple[str, ...] = (),
    paused: bool = False,
    run_as: tuple[int, int] | None = None,
) -> Launch:
    """A q35 of 32 MiB with an agent channel and a serial port. Its UUID follows from its name."""
    directory, runtime = root / "instances" / name, root / "run" / name
    sockets = Sockets(
        qmp=str(runtime / "qmp.sock"),
        agent=str(runtime / "agent.sock"),
        serial=str(runtime / "serial.sock"),
        vnc=str(runtime / "vnc.sock"),
        serial_log=str(directory / "serial.log"),
    )
    uuid = str(uuids.uuid5(uuids.NAMESPACE_URL, name))
    argv = (
        *(BINARY, "-S", "-no-user-config", "-nodefaults", "-no-shutdown", "-display", "none"),
        *("-machine", "q35,accel=tcg", "-m", "32", "-uuid", uuid),
        *("-chardev", f"socket,id=charmonitor,path={sockets.qmp},server=on,wait=off"),
        *("-mon", "chardev=charmonitor,mode=control"),
        *("-device", "virtio-serial-pci,id=virtio-serial0"),
        *("-chardev", f"socket,id=charchannel0,path={sockets.agent},server=on,wait=off"),
        *("-device", "virtserialport,chardev=charchannel0,id=channel0,name=org.qemu.guest_agent.0"),
        *("-chardev", f"socket,id=charserial0,path={sockets.serial},server=on,wait=off"),
        *("-device", "isa-serial,chardev=charserial0,id=serial0"),
        *extra,
    )
    return Launch(name, uuid, argv, directory, sockets, run_as=run_as, paused=paused)


def boot_sector(root: Path, code: bytes) -> tuple[str, ...]:
    """Options for a disk whose boot sector is ``code`` (16-bit, loaded at 0x7c00)."""
    image = root / "boot.img"
    image.write_bytes((code.ljust(510, b"\0") + b"\x55\xaa").ljust(2 * 1024 * 1024, b"\0"))
    return (
        *("-blockdev", f"driver=raw,node-name=boot,file.driver=file,file.filename={image}"),
        *("-device", "virtio-blk-pci,drive=boot,bootindex=1"),
    )


POWER_OFF = bytes.fromhex("ba0406 b80020 ef ebfe")
"""mov dx, 0x604 (PM1a control of q35); mov ax, 0x2000 (sleep enable, S5); out dx, ax; jmp $"""

ECHO = bytes.fromhex("baf803 b021 ee bafd03 ec a801 74fb baf803 ec ee ebf1")
"""Writes "!" to COM1, then sends back every byte that it receives there."""

DISK_WITH_READ_ERRORS = (
    *("-blockdev", "driver=null-co,node-name=null,size=2097152,read-zeroes=on"),
    *("-blockdev", "driver=blkdebug,node-name=bad,image=null,inject-error.0.event=none,inject-error.0.errno=5"),
    *("-device", "virtio-blk-pci,id=bad,drive=bad,rerror=stop,werror=stop,bootindex=1"),
)


class Events:
    """Collects what a hypervisor tells."""

    def __init__(self) -> None:
        self.all: list[InstanceEvent] = []

    def __call__(self, event: InstanceEvent) -> None:
        self.all.append(event)

    async def wait_for(self, kind: str, uid: str = "vm", *, timeout: float = 60.0) -> InstanceEvent:
        """The first event of this kind, also one that came before."""
        async with asyncio.timeout(timeout):
            while True:
                for event in self.all:
                    if (event.uid, event.kind) == (uid, kind):
                        return event
                await asyncio.sleep(0.005)

    def kinds(self, uid: str = "vm") -> list[str]:
        return [event.kind for event in self.all if event.uid == uid]
