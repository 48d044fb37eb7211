from pathlib import Path

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.store.objects import Objects
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT, VMIS, created, vmi

VMI = f"{EXT}/virtualmachineinstances/bare"


async def test_explain(client: Client) -> None:
    assert (await client.get(f"{EXT}/virtualmachines/web/explain")).json() == {"rows": []}


async def test_unknown(client: Client) -> None:
    assert (await client.get(f"{VMI}/nope")).status == 404
    assert (await client.get("/apis/subresources.solovirt.io/v9/images")).status == 404
    assert (await client.get(f"{VMI}/agent")).status == 405


async def test_logs(client: Client, operations: FakeOperations, tmp_path: Path) -> None:
    operations.log = tmp_path / "serial.log"
    operations.log.write_bytes(b"one\ntwo\nthree\n")
    answer = await client.get(f"{VMI}/logs?source=serial", headers={"accept": "text/plain"})
    assert (answer.status, answer.body) == (200, b"one\ntwo\nthree\n")
    assert answer.headers["content-type"].startswith("text/plain")
    assert operations.calls[0][3] == {"which": "serial"}
    assert (await client.get(f"{VMI}/logs?source=qemu&tailLines=1")).body == b"three\n"
    assert operations.calls[1][3] == {"which": "qemu"}
    assert (await client.get(f"{VMI}/logs?source=other")).status == 400
    assert (await client.get(f"{VMI}/logs?tailLines=x")).status == 400


async def test_logs_that_are_not_there(client: Client) -> None:
    answer = await client.get(f"{VMI}/logs")
    assert (answer.status, answer.json()["kind"]) == (404, "Status")


def final(obj: VirtualMachineInstance) -> bool:
    obj.status.phase = "Succeeded"
    return True


async def test_followed_logs_end_with_the_machine(
    client: Client, objects: Objects, operations: FakeOperations, tmp_path: Path
) -> None:
    await created(client, VMIS, vmi())
    operations.log = tmp_path / "serial.log"
    operations.log.write_bytes(b"boot\n")
    async with client.stream("GET", f"{VMI}/logs?follow=true") as stream:
        assert await stream.chunk() == b"boot\n"
        with operations.log.open("ab") as file:
            file.write(b"more\n")
        assert await stream.chunk() == b"more\n"
        await objects.modify(registry.VIRTUAL_MACHINE_INSTANCES, "default", "bare", final, status=True)
        assert await stream.chunk() == b""


async def test_following_nobody(client: Client, operations: FakeOperations, tmp_path: Path) -> None:
    operations.log = tmp_path / "serial.log"
    operations.log.write_bytes(b"")
    assert (await client.get(f"{VMI}/logs?follow=true")).status == 404
