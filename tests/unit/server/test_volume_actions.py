from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, DataVolumeSource
from solovirt.api.kubevirt.volume_requests import (
    AddVolumeOptions,
    HotplugVolumeSource,
    MediumOptions,
    RemoveVolumeOptions,
)
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import SUB

OWN = "/apis/subresources.solovirt.io/v1/namespaces/default"
DATA = {"dataVolume": {"name": "v", "hotpluggable": True}}
CLAIM = {"persistentVolumeClaim": {"claimName": "v", "hotpluggable": True}}
# Word for word what virtctl 1.9 sends.
SENT = {"name": "v", "disk": {"name": "", "disk": {"bus": "scsi"}, "serial": "v"}, "volumeSource": DATA}
PLURALS = [("virtualmachines", False), ("virtualmachineinstances", True)]


@pytest.mark.parametrize(("plural", "vmi"), PLURALS)
async def test_virtctl_adds(client: Client, operations: FakeOperations, plural: str, vmi: bool) -> None:
    answer = await client.put(f"{SUB}/{plural}/web/addvolume", SENT, content_type=None)
    assert (answer.status, answer.body) == (202, b"")
    ((verb, namespace, name, options),) = operations.calls
    assert (verb, namespace, name, options["vmi"], options["dry_run"]) == ("addvolume", "default", "web", vmi, False)
    assert options["options"] == AddVolumeOptions(
        name="v",
        disk=Disk(name="v", disk=DiskTarget(bus="scsi"), serial="v"),
        volume_source=HotplugVolumeSource(data_volume=DataVolumeSource(name="v", hotpluggable=True)),
    )


@pytest.mark.parametrize(("plural", "vmi"), PLURALS)
async def test_virtctl_removes(client: Client, operations: FakeOperations, plural: str, vmi: bool) -> None:
    body = {"name": "v", "volumeSource": CLAIM, "dryRun": ["All"]}
    answer = await client.put(f"{SUB}/{plural}/web/removevolume", body, content_type=None)
    assert answer.status == 202
    source = HotplugVolumeSource(persistent_volume_claim=ClaimSource(claim_name="v", hotpluggable=True))
    wanted = RemoveVolumeOptions(name="v", volume_source=source, dry_run=["All"])
    assert operations.calls == [("removevolume", "default", "web", {"options": wanted, "vmi": vmi, "dry_run": True})]


@pytest.mark.parametrize(("plural", "vmi"), PLURALS)
async def test_media(client: Client, operations: FakeOperations, plural: str, vmi: bool) -> None:
    answer = await client.put(f"{OWN}/{plural}/web/medium", {"disk": "cd"}, content_type=None)
    assert answer.status == 202
    wanted = MediumOptions(disk="cd")
    assert operations.calls == [("medium", "default", "web", {"options": wanted, "vmi": vmi, "dry_run": False})]


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("addvolume", b"", "Request with no body"),
        ("removevolume", b"", "Request with no body"),
        ("addvolume", {**SENT, "persist": True}, "persist"),
        ("addvolume", {**SENT, "disk": {"disk": {"buss": "scsi"}}}, "buss"),
        ("addvolume", {**SENT, "disk": []}, "disk"),
        ("addvolume", {**SENT, "dryRun": ["Some"]}, "dryRun"),
    ],
)
async def test_bodies_that_make_no_sense(
    client: Client, operations: FakeOperations, verb: str, body: object, said: str
) -> None:
    answer = await client.put(f"{SUB}/virtualmachines/web/{verb}", body, content_type=None)
    assert answer.status in (400, 422), answer
    assert said in answer.body.decode()
    assert operations.calls == []


async def test_a_disk_may_come_without_a_name(client: Client, operations: FakeOperations) -> None:
    body = {**SENT, "disk": {"disk": {"bus": "virtio"}}}
    assert (await client.put(f"{SUB}/virtualmachines/web/addvolume", body, content_type=None)).status == 202
