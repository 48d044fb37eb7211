import subprocess
from importlib import resources
from pathlib import Path

import pytest

from solovirt.host.tiny import initramfs
from solovirt.kit.errors import HostError

LOADER = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1.0-cloud").write_bytes(b"kernel")
    (tmp_path / LOADER).parent.mkdir(parents=True)
    (tmp_path / LOADER).write_bytes(b"loader")
    return tmp_path


def listing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(initramfs, "run", lambda command: subprocess.CompletedProcess(command, 0, text, ""))


def test_libraries_come_from_the_packages(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"""\tlinux-vdso.so.1 (0x00007ffe)
\tlibc.so.6 => {root}/lib/x86_64-linux-gnu/libc.so.6 (0x00007f12)
\t/lib64/ld-linux-x86-64.so.2 => {root}/{LOADER} (0x00007f13)
"""
    listing(monkeypatch, text.replace("/lib64/ld", "ld"))

    found = initramfs.libraries(root, root / "usr/sbin/qemu-ga")

    assert found == [root / LOADER, root / "lib/x86_64-linux-gnu/libc.so.6"]


@pytest.mark.parametrize("place", ["not found", "/lib/x86_64-linux-gnu/libudev.so.1 (0x1)"])
def test_a_library_of_the_host_is_never_taken(root: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    listing(monkeypatch, f"\tlibudev.so.1 => {place}\n")

    with pytest.raises(HostError, match=r"qemu-ga needs libudev\.so\.1, which none of the packages has"):
        initramfs.libraries(root, root / "qemu-ga")


def test_the_kernel_and_its_modules(root: Path) -> None:
    assert initramfs.kernel(root).name == "vmlinuz-6.1.0-cloud"
    assert initramfs.modules_folder(root) == root / "lib/modules/6.1.0-cloud"
    (root / "usr/lib/modules/6.1.0-cloud").mkdir(parents=True)
    assert initramfs.modules_folder(root) == root / "usr/lib/modules/6.1.0-cloud"


def test_two_kernels_are_an_error(root: Path) -> None:
    (root / "boot/vmlinuz-other").write_bytes(b"")

    with pytest.raises(HostError, match="expected one kernel in the packages, found 2"):
        initramfs.kernel(root)


def test_scripts_of_the_guest_are_executable_and_well_formed() -> None:
    folder = resources.files("solovirt.host.tiny") / "guest"
    entries = initramfs._scripts(folder)

    scripts = {path: entry for path, entry in entries.items() if path.startswith("/bin/")}
    assert {"/bin/early", "/bin/late", "/bin/agent", "/bin/seed", "/bin/shutdown"} <= set(scripts)
    for path, entry in scripts.items():
        assert entry.mode & 0o777 == 0o755, path
        assert entry.data.startswith(b"#!/bin/sh\n"), path
    assert entries["/etc/inittab"].mode & 0o777 == 0o644
    called = {
        word for line in entries["/etc/inittab"].data.decode().split() for word in line.split(":") if "/sbin/" in word
    }
    assert {path.replace("/sbin/", "/bin/") for path in called} <= set(scripts) | {"/bin/reboot"}


def test_the_release_is_what_the_agent_tells() -> None:
    text = initramfs._system("Debian 12")["/etc/os-release"].data.decode()

    assert 'PRETTY_NAME="solovirt tiny (Debian 12)"' in text
    assert 'VERSION_ID="12"' in text
