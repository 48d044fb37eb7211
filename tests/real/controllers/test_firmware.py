"""A guest that boots by UEFI with a TPM, an ACPI table and shared directories: what it sees, what is kept for it, and
what happens when one of the programs beside it dies.
"""

from __future__ import annotations

import base64
import os
import signal
import struct
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.controllers.vmi import pins
from solovirt.host import facts
from solovirt.hypervisor import helpers, lock
from tests.real.compile.beside import table
from tests.real.controllers.conftest import VMS, Home
from tests.real.controllers.test_disks import CLAIM, CONFIG, apply, shell

pytestmark = pytest.mark.real

SECRET = b"""
apiVersion: v1
kind: Secret
metadata: {name: licence, namespace: default}
data: {slic.bin: "%s"}
""" % base64.b64encode(table(b"SLIC"))
MACHINE = """
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: hello, namespace: default}
spec:
  runStrategy: Manual
  template:
    spec:
      domain:
        memory: {guest: 256Mi}
        firmware:
          bootloader: {efi: {secureBoot: false, persistent: PERSISTENT}}
          acpi: {slicNameRef: licence}
          kernelBoot:
            kernelArgs: console=ttyS0 nokaslr mitigations=off no_timer_check tsc=reliable
            container: {image: solovirt/tiny, kernelPath: /boot/vmlinuz, initrdPath: /boot/initrd}
        devices:
          tpm: {persistent: PERSISTENT}
          filesystems:
          - {name: settings, virtiofs: {}}
          - {name: kept, virtiofs: {}}
          disks:
          - {name: licence, disk: {bus: virtio}}
      volumes:
      - {name: licence, secret: {secretName: licence}}
      - {name: settings, configMap: {name: settings}}
      - {name: kept, persistentVolumeClaim: {claimName: kept}}
"""
MOUNT = "mkdir -p /m/kept /m/settings; mount -t virtiofs kept /m/kept; mount -t virtiofs settings /m/settings"
VARIABLES = "mount -t efivarfs none /sys/firmware/efi/efivars"
VARIABLE = "/sys/firmware/efi/efivars/Word-6a1a24a1-4061-4607-8bf4-a3963d0c5895"


def create_primary() -> bytes:
    """TPM2_CreatePrimary of a P-256 key below the endorsement seed (TPM 2.0 library, part 3, 24.1): the same key as
    long as the seed is the same."""
    session = bytes.fromhex("00000009 40000009 0000 00 0000")
    public = bytes.fromhex("0023 000b 00030072 0000 0006 0080 0043 0010 0003 0010 0000 0000")
    body = bytes.fromhex("4000000b") + session + bytes.fromhex("0004 0000 0000")
    body += struct.pack(">H", len(public)) + public + bytes.fromhex("0000 00000000")
    return struct.pack(">HII", 0x8002, 10 + len(body), 0x131) + body


async def said(home: Home, script: str) -> str:
    done = await shell(home, script)
    assert done.exit_code == 0, (script, done)
    return done.stdout.decode().strip()


async def key_of_the_tpm(home: Home) -> bytes:
    """The x and y of the key."""
    octal = "".join(f"\\\\{byte:03o}" for byte in create_primary()).replace("\\\\", "\\")
    script = (
        f"exec 3<>/dev/tpm0; printf '{octal}' > /tmp/q; cat /tmp/q >&3; dd bs=4096 count=1 <&3 2>/dev/null | base64"
    )
    answer = base64.b64decode((await said(home, script)).replace("\n", ""))
    tag, _, code = struct.unpack_from(">HII", answer)
    assert (tag, code) == (0x8002, 0), answer.hex()
    public = answer[20 : 20 + struct.unpack_from(">H", answer, 18)[0]]
    return public[-68:]


def helper(home: Home, name: str) -> int:
    return min(lock.holders(home.paths.instance(home.vmi().metadata.uid) / f"{name}.lock"))


def told(home: Home) -> list[str]:
    return [event.message for event in home.objects.list(registry.EVENTS).items if event.reason == "HelperExited"]


async def begin(home: Home, persistent: bool) -> None:
    for text in (CLAIM, CONFIG, SECRET, MACHINE.replace("PERSISTENT", str(persistent).lower()).encode()):
        await apply(home, text)
    await home.manager.operations.start("default", "hello")
    await home.agent()


async def again(home: Home) -> None:
    first = home.vmi().metadata.uid
    await home.manager.operations.restart("default", "hello")
    await home.until(lambda: home.phase() == "Running" and home.vmi().metadata.uid != first)
    await home.agent()


@pytest.mark.parametrize("persistent", [True, False])
async def test_what_is_kept_over_restarts(home: Home, persistent: bool) -> None:
    await begin(home, persistent)
    key = pins.key(home.vmi())
    assert (home.paths.vm(key) / "nvram.fd").exists() is persistent
    assert await said(home, "head -c 4 /sys/firmware/acpi/tables/SLIC") == "SLIC"
    assert len(await said(home, "cat /sys/class/tpm/tpm0/pcr-sha256/0")) == 64
    first = await key_of_the_tpm(home)
    await said(home, f"{VARIABLES}; printf '\\007\\000\\000\\000word' > /tmp/v; dd if=/tmp/v of={VARIABLE} bs=64")
    await said(home, f"{MOUNT}; echo here > /m/kept/file; chown 1000:1000 /m/kept/file")
    assert await said(home, "cat /m/settings/colour") == "blue"
    assert (await shell(home, "echo red > /m/settings/colour")).exit_code != 0
    await again(home)
    assert (await key_of_the_tpm(home) == first) is persistent
    found = await shell(home, f"{VARIABLES}; tail -c 4 {VARIABLE}")
    assert (found.stdout == b"word") is persistent
    assert await said(home, f"{MOUNT}; cat /m/kept/file; stat -c %u:%g /m/kept/file") == "here\n1000:1000"
    await home.objects.delete(VMS, "default", "hello")
    await home.until(lambda: home.phase() == "gone" and home.objects.find(VMS, "default", "hello") is None)
    assert not home.paths.vm(key).exists()
    assert not list(home.root.rglob("*.lock")) or [path.name for path in home.root.rglob("*.lock")] == ["daemon.lock"]


async def test_a_helper_that_dies_is_told_and_the_guest_goes_on(home: Home) -> None:
    await begin(home, persistent=False)
    os.kill(helper(home, "swtpm"), signal.SIGKILL)
    await home.until(lambda: len(told(home)) == 1, "swtpm")
    assert "swtpm was killed by SIGKILL" in told(home)[0]
    await home.restart()
    await home.agent()
    await said(home, f"{MOUNT}; cat /m/settings/colour")
    os.kill(helper(home, "virtiofsd-kept"), signal.SIGKILL)
    await home.until(lambda: len(told(home)) == 2, "virtiofsd")
    assert any("virtiofsd-kept" in text for text in told(home))
    assert home.phase() == "Running" and await said(home, "echo alive") == "alive"
    directory: Path = home.paths.instance(home.vmi().metadata.uid)
    assert helpers.names(directory) == ["virtiofsd-settings"]


async def test_a_helper_that_does_not_start_fails_the_machine_with_its_words(home: Home) -> None:
    broken = home.root / "bin" / "swtpm"
    broken.parent.mkdir(0o755)
    broken.write_text("#!/bin/sh\necho no room for a TPM >&2\nexit 3\n")
    broken.chmod(0o755)
    home.environ["PATH"] = f"{broken.parent}:{home.environ['PATH']}"
    await home.restart()
    for text in (CLAIM, CONFIG, SECRET, MACHINE.replace("PERSISTENT", "false").encode()):
        await apply(home, text)
    await home.manager.operations.start("default", "hello")
    await home.until(lambda: home.phase() == "Failed", "fails")
    events = " ".join(event.message for event in home.objects.list(registry.EVENTS).items)
    assert "swtpm exited with code 3: no room for a TPM" in events
    assert not home.holders()
    assert not list(home.root.rglob("tpm.sock"))


async def test_firmware_facts_are_those_of_this_host(home: Home) -> None:
    found = await facts.probe(home.paths, environ=home.environ)
    assert any("secure-boot" in firmware.features for firmware in found.firmware)
    assert {"swtpm", "virtiofsd"} <= set(found.helpers)
