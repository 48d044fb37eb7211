"""A guest with every kind of disk, booted by kernelBoot: filled first, kept over restarts, gone with its VM."""

from __future__ import annotations

import pytest

from solovirt.api import decode, registry
from solovirt.hypervisor.model import ExecResult
from solovirt.kit import yaml
from tests.real.controllers.conftest import VMS, Home
from tests.real.controllers.test_manager import Command

pytestmark = pytest.mark.real

CLAIM = b"""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept, namespace: default}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 8Mi}}
"""
CONFIG = b"""
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {colour: blue}
"""
MACHINE = b"""
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: hello, namespace: default}
spec:
  runStrategy: Manual
  dataVolumeTemplates:
  - metadata: {name: data}
    spec:
      source: {blank: {}}
      storage: {resources: {requests: {storage: 16Mi}}}
  template:
    spec:
      domain:
        memory: {guest: 256Mi}
        firmware:
          kernelBoot:
            kernelArgs: console=ttyS0 nokaslr mitigations=off no_timer_check tsc=reliable
            container: {image: solovirt/tiny, kernelPath: /boot/vmlinuz, initrdPath: /boot/initrd}
        devices:
          disks:
          - {name: data, serial: DATA, disk: {bus: virtio}}
          - {name: kept, serial: KEPT, disk: {bus: virtio}}
          - {name: scratch, disk: {bus: virtio}}
          - {name: settings, disk: {bus: virtio}}
      volumes:
      - {name: data, dataVolume: {name: data}}
      - {name: kept, persistentVolumeClaim: {claimName: kept}}
      - {name: scratch, emptyDisk: {capacity: 4Mi}}
      - {name: settings, configMap: {name: settings}}
"""


async def apply(home: Home, text: bytes) -> None:
    value = yaml.load_all(text)[0].value
    assert isinstance(value, dict)
    resource = registry.by_kind(str(value["apiVersion"]), str(value["kind"]))
    assert resource is not None
    await home.objects.create(resource, decode.decode(resource, value).object)


async def shell(home: Home, script: str) -> ExecResult:
    return await home.manager.operations.guest.guest_exec("default", "hello", Command(("sh", "-c", script)))


async def test_disks(home: Home) -> None:
    operations = home.manager.operations
    await apply(home, MACHINE)
    await operations.start("default", "hello")
    await home.until(lambda: home.phase() == "Pending", "waits for the claim")
    await home.until(lambda: home.shown() == "ErrorPvcNotFound")
    await apply(home, CLAIM)
    await apply(home, CONFIG)
    await home.agent()
    status = {volume.name: volume.target for volume in home.vmi().status.volume_status}
    assert status == {"data": "vda", "kept": "vdb", "scratch": "vdc", "settings": "vdd"}
    sizes = await shell(home, "cat /sys/block/vda/size /sys/block/vdb/size /sys/block/vdc/size")
    assert [int(size) * 512 >> 20 for size in sizes.stdout.split()] == [16, 8, 4], sizes
    for disk in ("vda", "vdb", "vdc"):
        written = await shell(home, f"echo word-{disk} | dd of=/dev/{disk} conv=fsync")
        assert written.exit_code == 0, written
    await operations.restart("default", "hello")
    first = home.vmi().metadata.uid
    await home.until(lambda: home.phase() == "Running" and home.vmi().metadata.uid != first)
    await home.agent()
    read = await shell(home, "for d in vda vdb vdc; do head -c 8 /dev/$d | tr '\\0\\n' '. '; done")
    assert read.stdout == b"word-vdaword-vdb........"
    await home.objects.delete(registry.PERSISTENT_VOLUME_CLAIMS, "default", "kept")
    assert home.objects.find(registry.PERSISTENT_VOLUME_CLAIMS, "default", "kept") is not None, "in use"
    await home.objects.delete(VMS, "default", "hello")
    await home.until(lambda: not home.objects.list(registry.PERSISTENT_VOLUME_CLAIMS).items)
    assert not home.objects.list(registry.DATA_VOLUMES).items
    assert not list(home.paths.volumes.rglob("*.qcow2"))
