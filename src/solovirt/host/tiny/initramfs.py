"""The tiny guest's root: busybox, the QEMU guest agent with its libraries, kernel modules, our scripts in ``guest/``.

Everything but the scripts comes from unpacked Debian packages. Knows nothing of disks or boot loaders.
"""

from __future__ import annotations

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from solovirt.host.tiny import cpio, modules
from solovirt.host.tiny.cpio import Entry
from solovirt.host.tiny.debs import run
from solovirt.kit.errors import HostError

MODULES = (
    "virtio_pci", "virtio_console", "virtio_net", "virtio_blk", "virtio_scsi", "sd_mod", "sr_mod", "virtio_rng",
    "virtio_balloon", "virtio_mem", "virtio_input", "virtiofs", "isofs", "vfat", "nls_cp437", "nls_ascii", "nls_utf8",
    "ext4", "efivarfs", "evdev", "button", "ata_piix", "ata_generic", "af_packet", "overlay", "loop",
    "vmw_vsock_virtio_transport",
)  # fmt: skip
"""What the guest can drive. Debian's cloud kernel has no AHCI, USB or NICs of real hardware: the guest boots from a
SATA disk, which is the firmware's work, but does not see it then."""

_NOT_APPLETS = frozenset({"busybox", "init", "linuxrc", "poweroff", "reboot", "halt", "dpkg", "dpkg-deb", "rpm"})
_LIBRARY_FOLDERS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
_LOADER = "ld-linux-x86-64.so.2"


def build(root: Path, *, release: str) -> bytes:
    """The initramfs from the packages unpacked at ``root``. ``release`` goes into os-release ("Debian 12")."""
    entries: dict[str, Entry] = {}
    entries.update(_busybox(root))
    entries.update(_agent(root))
    entries.update(_modules(root))
    entries.update(_scripts(resources.files("solovirt.host.tiny") / "guest"))
    entries.update(_system(release))
    return cpio.archive(entries)


def kernel(root: Path) -> Path:
    """The kernel image. Raises ``HostError`` when there is not exactly one."""
    found = sorted(root.glob("boot/vmlinuz-*"))
    if len(found) != 1:
        raise HostError(f"expected one kernel in the packages, found {len(found)}", reason="ToolFailed")
    return found[0]


def modules_folder(root: Path) -> Path:
    """The kernel's /lib/modules/<version> (below /usr in newer Debians)."""
    version = kernel(root).name.removeprefix("vmlinuz-")
    candidates = [root / prefix / "modules" / version for prefix in ("lib", "usr/lib")]
    return next((path for path in candidates if path.is_dir()), candidates[0])


def _busybox(root: Path) -> dict[str, Entry]:
    binary = _first(root, "bin/busybox", "usr/bin/busybox")
    applets = run([str(binary), "--list"]).stdout.split()
    entries = {f"/bin/{applet}": cpio.link("busybox") for applet in applets if applet not in _NOT_APPLETS}
    return {
        **entries,
        "/bin/busybox": cpio.file(binary.read_bytes(), executable=True),
        "/init": cpio.link("/bin/busybox"),
    }


def _agent(root: Path) -> dict[str, Entry]:
    binary = _first(root, "usr/sbin/qemu-ga", "usr/bin/qemu-ga")
    entries = {"/bin/qemu-ga": cpio.file(binary.read_bytes(), executable=True)}
    for library in libraries(root, binary):
        name = library.name
        folder = "/lib64" if name == _LOADER else "/lib/x86_64-linux-gnu"
        entries[f"{folder}/{name}"] = cpio.file(library.read_bytes(), executable=True)
    return entries


def libraries(root: Path, binary: Path) -> list[Path]:
    """The shared libraries that ``binary`` loads, and the loader, all of them from the packages at ``root``.

    The packages' own loader is asked (``ld.so --list``), so the host's libraries never come in.
    """
    loader = next((path for path in sorted(root.rglob(_LOADER)) if not path.is_symlink()), None)
    if loader is None:
        raise HostError(f"the package libc6 has no {_LOADER}", reason="ToolFailed")
    folders = ":".join(str(root / folder) for folder in _LIBRARY_FOLDERS)
    listing = run([str(loader), "--inhibit-cache", "--library-path", folders, "--list", str(binary)]).stdout
    found = [loader]
    for name, path in re.findall(r"^\s*(\S+) => (.+?)(?: \(0x[0-9a-f]+\))?$", listing, re.MULTILINE):
        if not path.startswith(f"{root}/"):
            raise HostError(f"{binary.name} needs {name}, which none of the packages has", reason="ToolFailed")
        if name != _LOADER:
            found.append(Path(path))
    return found


def _modules(root: Path) -> dict[str, Entry]:
    folder = modules_folder(root)
    loaded = modules.resolve(folder, MODULES)
    target = f"/lib/modules/{folder.name}"
    entries = {f"{target}/{module.path}": cpio.file(modules.unsigned(module.data)) for module in loaded}
    entries[f"{target}/modules.dep"] = cpio.file(modules.dependency_table(loaded).encode())
    entries[f"{target}/modules.alias"] = cpio.file(modules.alias_table(loaded).encode())
    return entries


def _scripts(folder: Traversable, prefix: str = "") -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for child in folder.iterdir():
        path = f"{prefix}/{child.name}"
        if child.is_dir():
            entries.update(_scripts(child, path))
        else:
            entries[path.replace("/sbin/", "/bin/")] = cpio.file(child.read_bytes(), executable="/sbin/" in path)
    return entries


def _system(release: str) -> dict[str, Entry]:
    os_release = (
        'NAME="solovirt tiny"\nID=solovirt-tiny\nID_LIKE=debian\n'
        f'PRETTY_NAME="solovirt tiny ({release})"\nVERSION="{release}"\nVERSION_ID="{release.rpartition(" ")[2]}"\n'
    )
    links = {
        "/sbin": "bin",
        "/usr/bin": "../bin",
        "/usr/sbin": "../bin",
        "/usr/lib": "../lib",
        "/etc/mtab": "/proc/mounts",
        "/var/run": "/run",
        **{f"/bin/{name}": "shutdown" for name in ("poweroff", "reboot", "halt")},
    }
    return {
        **{path: cpio.link(target) for path, target in links.items()},
        **{
            path: cpio.folder()
            for path in ("/proc", "/sys", "/dev", "/run", "/mnt", "/root", "/var/log", "/usr/local/bin")
        },
        "/tmp": cpio.folder(0o1777),
        "/etc/os-release": cpio.file(os_release.encode()),
        "/etc/hostname": cpio.file(b"tiny\n"),
        "/etc/acpi/PWRF/00000080": cpio.file(b"#!/bin/sh\nexec /sbin/shutdown -P\n", executable=True),
    }


def _first(root: Path, *candidates: str) -> Path:
    for candidate in candidates:
        path = root / candidate
        if path.is_file():
            return path
    raise HostError(f"none of the packages has {candidates[0]}", reason="ToolFailed")
