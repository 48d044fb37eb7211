from __future__ import annotations

import io
import tarfile
from importlib import resources
from pathlib import Path

from solovirt.host.debian import build, recipe

LISTED = """\
Debian|bookworm|http://mirror.example/debian/|main
Debian|bookworm|http://mirror.example/debian/|contrib
Debian|bookworm-updates|http://mirror.example/debian/|main
Debian|bookworm-security|https://security.example/debian-security/|main
Debian Backports|bookworm-backports|http://mirror.example/debian/|main
Somebody|bookworm|http://other.example/|main
Debian|bookworm|http://mirror.example/debian/|main
Debian|bookworm|file:/srv/debian|main
"""
GUEST = resources.files("solovirt.host.debian") / "guest"


def test_the_hosts_own_mirrors_are_used() -> None:
    assert recipe.sources_list(LISTED) == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb https://security.example/debian-security/ bookworm-security main",
    ]


def test_without_the_suite_mmdebstrap_chooses() -> None:
    assert recipe.sources_list("Debian|trixie|http://mirror.example/debian/|main\n") == []
    assert recipe.sources_list("Debian|bookworm-updates|http://mirror.example/debian/|main\n\nnonsense\n") == []


def test_our_files_belong_to_root_and_are_the_same_every_time() -> None:
    data = recipe.overlay(GUEST)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()

    assert data == recipe.overlay(GUEST)
    assert {(m.uid, m.gid) for m in members} == {(0, 0)}
    assert "./boot/grub/grub.cfg" in [m.name for m in members]
    assert all(m.mode == (0o755 if m.isdir() else 0o644) for m in members)


def test_mmdebstrap_is_told_everything_in_order() -> None:
    words = recipe.command(Path("/w"), ["deb http://m/ bookworm main"])
    hooks = [word for word in words if word.startswith("--customize-hook=")]

    assert words[-3:] == ["bookworm", "/dev/null", "deb http://m/ bookworm main"]
    assert "linux-image-amd64" in next(word for word in words if word.startswith("--include=")).split("=")[1].split(",")
    assert [hook.split()[-1] for hook in hooks[3:]] == [f"/w/{name}" for name in recipe.OUTPUTS]
    assert "mke2fs" in hooks[2], "the file system is made last, of what the others left"


def test_firmware_and_kernel_boot_take_the_same_arguments() -> None:
    config = (GUEST / "boot/grub/grub.cfg").read_text(encoding="ascii")

    assert f"linux /vmlinuz {build.KERNEL_ARGUMENTS}\n" in config
