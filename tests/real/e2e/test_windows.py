"""examples/windows-server.yaml with media that stand in for Windows: everything around the guest is real."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from solovirt.host.volumes import iso
from solovirt.kit.jsontypes import get_object, get_str
from tests.support.manifests import claim
from tests.support.system import CLAIMS, CORE, EXAMPLES, System, import_image, wait_until

pytestmark = pytest.mark.real

DRIVERS = "kubevirt/virtio-container-disk:v1.5.0"
NAME = "windows-server"


def test_the_machine_of_the_example_runs(system: System, tmp_path: Path) -> None:
    iso.write(tmp_path / "drivers.iso", "virtio-win", {"virtio-win_license.txt": b"drivers", "guest-agent/x.msi": b"x"})
    import_image(system, DRIVERS, {"/disk/drivers.iso": tmp_path / "drivers.iso"})
    system.apply(claim("windows-server-iso", "64Mi"))
    system.ok("apply", "-f", str(EXAMPLES / "windows-server.yaml"))
    wait_until(lambda: system.printable(NAME) == "Stopped", 60, lambda: system.about(NAME))
    system.ok("start", NAME)
    system.wait_phase(NAME, "Running", 60)

    words = shlex.split(system.ok("explain", "vm", NAME, "-o", "argv"))
    text = " ".join(words)
    for part in ("tpm-tis", "e1000e", "ide-hd", "smm=on", "property=secure,value=on", '"usb-tablet"'):
        assert part in text, part
    assert text.count('"ide-cd"') == 3
    assert "hv-relaxed=on" in text
    found = system.find(CLAIMS, "windows-server-rootdisk")
    assert get_str(get_object(found or {}, "status"), "phase") == "Bound"
    assert system.find(f"{CORE}/configmaps", "windows-server-sysprep")
    # The firmware looks at every boot device, finds no loader, and stays.
    wait_until(lambda: "BdsDxe" in system.ok("logs", NAME), 120, lambda: system.about(NAME))
    system.ok("stop", NAME, "--grace-period", "0", "--force")
