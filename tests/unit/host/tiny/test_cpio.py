import stat

import pytest

from solovirt.host.tiny import cpio


def parse(archive: bytes) -> list[tuple[str, int, int, bytes]]:
    """(name, mode, inode, data) of each record, read by the format's own rules."""
    found, at = [], 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        inode, mode, size, name_size = numbers[0], numbers[1], numbers[6], numbers[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        data_at = (at + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found.append((name, mode, inode, archive[data_at : data_at + size]))
        at = (data_at + size + 3) // 4 * 4


def test_files_links_and_folders() -> None:
    records = parse(
        cpio.archive(
            {
                "/bin/sh": cpio.link("busybox"),
                "/bin/busybox": cpio.file(b"elf", executable=True),
                "/etc/passwd": cpio.file(b"root"),
                "/tmp": cpio.folder(0o1777),
            }
        )
    )

    assert [(name, mode, data) for name, mode, _, data in records] == [
        ("bin", stat.S_IFDIR | 0o755, b""),
        ("bin/busybox", stat.S_IFREG | 0o755, b"elf"),
        ("bin/sh", stat.S_IFLNK | 0o777, b"busybox"),
        ("etc", stat.S_IFDIR | 0o755, b""),
        ("etc/passwd", stat.S_IFREG | 0o644, b"root"),
        ("tmp", stat.S_IFDIR | 0o1777, b""),
    ]
    assert len({inode for _, _, inode, _ in records}) == len(records)


def test_a_folder_comes_before_what_is_in_it() -> None:
    names = [name for name, *_ in parse(cpio.archive({"/a-b/c": cpio.file(b""), "/a/b/c/d": cpio.file(b"")}))]

    for name in names:
        parent = name.rpartition("/")[0]
        assert not parent or names.index(parent) < names.index(name)


def test_the_same_input_gives_the_same_bytes() -> None:
    entries = {"/b": cpio.file(b"2"), "/a": cpio.file(b"1")}

    assert cpio.archive(entries) == cpio.archive(dict(reversed(entries.items())))


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a//b", "/a/", "//a"])
def test_odd_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a clean absolute path"):
        cpio.archive({path: cpio.file(b"")})
