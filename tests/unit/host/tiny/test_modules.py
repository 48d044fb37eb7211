import lzma
from pathlib import Path

import pytest

from solovirt.host.tiny import modules
from solovirt.kit.errors import HostError


def make(root: Path, path: str, depends: str = "", *aliases: str) -> None:
    info = [f"depends={depends}", "license=GPL", *(f"alias={alias}" for alias in aliases)]
    data = b"\x7fELF\0" + b"".join(field.encode() + b"\0" for field in info) + b"code"
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(lzma.compress(data) if path.endswith(".xz") else data)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "6.1.0-cloud"
    make(root, "kernel/virtio.ko")
    make(root, "kernel/virtio_ring.ko", "virtio")
    make(root, "kernel/virtio_pci.ko", "virtio_ring,virtio", "pci:v00001AF4d*")
    make(root, "kernel/char/virtio-rng.ko", "virtio", "virtio:d00000004v*", "rng")
    make(root, "kernel/unused.ko")
    (root / "modules.builtin").write_text("kernel/net/packet/af_packet.ko\n")
    return root


def test_each_module_comes_after_what_it_needs(root: Path) -> None:
    assert [m.name for m in modules.resolve(root, ["virtio_pci"])] == ["virtio", "virtio_ring", "virtio_pci"]


def test_dashes_and_underscores_are_one(root: Path) -> None:
    assert [m.name for m in modules.resolve(root, ["virtio_rng"])] == ["virtio", "virtio_rng"]
    assert [m.path for m in modules.resolve(root, ["virtio-rng"])][-1] == "kernel/char/virtio-rng.ko"


def test_what_the_kernel_has_inside_needs_no_file(root: Path) -> None:
    assert modules.resolve(root, ["af_packet"]) == []


def test_missing_modules_are_named_all_at_once(root: Path) -> None:
    with pytest.raises(HostError, match=r"6\.1\.0-cloud has no module ahci, e1000e"):
        modules.resolve(root, ["e1000e", "virtio_pci", "ahci"])


def test_a_dependency_that_is_missing_is_named(root: Path) -> None:
    make(root, "kernel/broken.ko", "nowhere")

    with pytest.raises(HostError, match="nowhere"):
        modules.resolve(root, ["broken"])


def test_modules_that_need_each_other_are_an_error_not_a_loop(root: Path) -> None:
    make(root, "kernel/hen.ko", "egg")
    make(root, "kernel/egg.ko", "hen")

    with pytest.raises(HostError, match="need each other"):
        modules.resolve(root, ["hen"])


def test_compressed_modules_are_read_and_named_without_their_ending(root: Path) -> None:
    make(root, "kernel/fs/isofs.ko.xz", "virtio")

    module = modules.resolve(root, ["isofs"])[-1]
    assert (module.name, module.path) == ("isofs", "kernel/fs/isofs.ko")
    assert module.data.startswith(b"\x7fELF")


def test_the_tables_of_modprobe(root: Path) -> None:
    loaded = modules.resolve(root, ["virtio_pci", "virtio_rng"])

    assert modules.dependency_table(loaded).splitlines() == [
        "kernel/virtio.ko:",
        "kernel/virtio_ring.ko: kernel/virtio.ko",
        "kernel/virtio_pci.ko: kernel/virtio_ring.ko kernel/virtio.ko",
        "kernel/char/virtio-rng.ko: kernel/virtio.ko",
    ]
    assert modules.alias_table(loaded).splitlines() == [
        "alias pci:v00001AF4d* virtio_pci",
        "alias virtio:d00000004v* virtio_rng",
        "alias rng virtio_rng",
    ]


def test_a_signature_is_cut_off_and_nothing_else() -> None:
    signature = b"s" * 40
    trailer = b"\0\0\2\0\0\0\0\0" + len(signature).to_bytes(4, "big")
    signed = b"\x7fELF module" + signature + trailer + b"~Module signature appended~\n"

    assert modules.unsigned(signed) == b"\x7fELF module"
    assert modules.unsigned(b"\x7fELF module") == b"\x7fELF module"
