from __future__ import annotations

import gzip
import io
import itertools
import tarfile
from pathlib import Path

import pytest

from solovirt.host.images.files import SparseWriter
from solovirt.host.images.layers import Extraction, Layer, Limits, extract, normalise
from solovirt.host.images.threads import Stopped
from solovirt.kit.errors import HostError
from tests.unit.host.images.fakes import MIB, tar


class Bench:
    """Writes layers to files and extracts what lies in /disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        self.out.mkdir()
        self._count = itertools.count()

    def layer(self, data: bytes, compression: str = "") -> Layer:
        path = self.root / f"layer{next(self._count)}"
        path.write_bytes(gzip.compress(data) if compression == "gzip" else data)
        return Layer(path, compression)

    def create(self) -> SparseWriter:
        return SparseWriter(self.out / f"f{next(self._count)}")

    def run(self, *layers: Layer, limits: Limits | None = None) -> Extraction:
        return extract(layers, lambda path: path.startswith("/disk/"), self.create, limits)

    def contents(self, *layers: Layer) -> dict[str, bytes]:
        return {path: writer.path.read_bytes() for path, writer in self.run(*layers).taken.items()}

    def left(self) -> list[str]:
        return [path.name for path in self.out.iterdir()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_takes_the_wanted_file_only(bench: Bench, compression: str) -> None:
    data = tar(("disk", None), ("./disk/a.img", b"A" * 5000), ("etc/passwd", b"root"), ("z", b""))
    layer = bench.layer(data, compression)
    found = bench.run(layer)
    assert list(found.taken) == ["/disk/a.img"]
    assert found.taken["/disk/a.img"].path.read_bytes() == b"A" * 5000
    assert found.names == ["/disk/a.img", "/etc/passwd", "/z"]


def test_upper_layers_win(bench: Bench) -> None:
    lower = bench.layer(tar(("disk/a", b"old"), ("disk/b", b"b")))
    upper = bench.layer(tar(("disk/a", b"new")))
    assert bench.contents(lower, upper) == {"/disk/a": b"new", "/disk/b": b"b"}


def test_the_last_member_of_a_name_wins_within_a_layer(bench: Bench) -> None:
    assert bench.contents(bench.layer(tar(("disk/a", b"1"), ("disk/a", b"22")))) == {"/disk/a": b"22"}
    assert len(bench.left()) == 1


@pytest.mark.parametrize(
    "whiteout",
    [
        ("disk/.wh.a", b""),
        (".wh.disk", b""),
        ("disk/.wh..wh..opq", b""),
        (".wh..wh..opq", b""),
        ("disk", b"now a file"),
        ("disk", "/elsewhere"),
        ("disk/a", None),
    ],
)
def test_whiteouts_hide_lower_layers(bench: Bench, whiteout: tuple[str, bytes | str | None]) -> None:
    lower = bench.layer(tar(("disk", None), ("disk/a", b"hidden")))
    assert bench.contents(lower, bench.layer(tar(whiteout))) == {}


def test_whiteouts_do_not_hide_their_own_layer(bench: Bench) -> None:
    lower = bench.layer(tar(("disk/a", b"old"), ("disk/b", b"old")))
    upper = bench.layer(tar(("disk/a", b"new"), ("disk/.wh..wh..opq", b""), ("disk/.wh.a", b"")))
    assert bench.contents(lower, upper) == {"/disk/a": b"new"}


def test_links_and_devices_are_refused_by_name(bench: Bench) -> None:
    hard = bench.layer(tar(("disk/hard", b""), kind=tarfile.LNKTYPE))
    soft = bench.layer(tar(("disk/soft", "/etc/shadow"), ("kernel", "../../etc/shadow")))
    device = bench.layer(tar(("disk/dev", b""), kind=tarfile.CHRTYPE))
    found = bench.run(hard, soft, device)
    assert found.taken == {}
    assert found.refusals == {
        "/disk/hard": "a hard link",
        "/disk/soft": "a symbolic link",
        "/kernel": "a symbolic link",
        "/disk/dev": "not a regular file",
    }


def test_a_link_in_an_upper_layer_hides_the_file_below(bench: Bench) -> None:
    found = bench.run(bench.layer(tar(("disk/a", b"real"))), bench.layer(tar(("disk/a", "/etc/shadow"))))
    assert found.taken == {}
    assert found.refusals == {"/disk/a": "a symbolic link"}


def test_names_that_climb_are_ignored(bench: Bench) -> None:
    assert bench.contents(bench.layer(tar(("disk/../../etc/x", b"1"), ("/disk/a", b"2")))) == {"/disk/a": b"2"}
    assert normalise(".//disk/./a") == "/disk/a"
    for bad in ("..", "a/../b", "a\0b"):
        with pytest.raises(ValueError, match=r"\.\.|\x00"):
            normalise(bad)


def test_holes_stay_holes(bench: Bench) -> None:
    data = b"x" + bytes(8 * MIB) + b"y"
    writer = bench.run(bench.layer(tar(("disk/a", data)), "gzip")).taken["/disk/a"]
    assert writer.path.read_bytes() == data
    assert writer.stored < MIB
    assert writer.path.stat().st_blocks * 512 < 2 * MIB


def test_size_limit(bench: Bench) -> None:
    layer = bench.layer(tar(("disk/a", bytes(2 * MIB))), "gzip")
    with pytest.raises(HostError, match=r"more than 1\.0 MiB"):
        bench.run(layer, limits=Limits(unpacked=MIB))
    assert bench.left() == []


def test_a_decompression_bomb_is_refused(bench: Bench) -> None:
    layer = bench.layer(tar(("disk/a", b"\xff" * (4 * MIB))), "gzip")
    with pytest.raises(HostError, match="more than 200 times"):
        bench.run(layer, limits=Limits(ratio_floor=MIB))
    assert bench.left() == []


def test_zeros_are_no_bomb(bench: Bench) -> None:
    layer = bench.layer(tar(("disk/a", bytes(4 * MIB))), "gzip")
    assert bench.run(layer, limits=Limits(ratio_floor=MIB)).taken["/disk/a"].size == 4 * MIB


@pytest.mark.parametrize("limits", [Limits(members=2), Limits(files=2)])
def test_number_limits(bench: Bench, limits: Limits) -> None:
    with pytest.raises(HostError, match="more than 2"):
        bench.run(bench.layer(tar(*((f"disk/{n}", b"") for n in range(4)))), limits=limits)
    assert bench.left() == []


def test_a_huge_header_is_not_read_into_memory(bench: Bench) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    with pytest.raises(HostError, match="too large"):
        bench.run(bench.layer(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)))


def test_headers_nested_too_deeply(bench: Bench) -> None:
    out = io.BytesIO()
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 512
    out.write((info.tobuf(tarfile.USTAR_FORMAT) + b"8 a=bcd\n".ljust(512, b"\0")) * 5000)
    with pytest.raises(HostError, match="not a valid tar"):
        bench.run(bench.layer(out.getvalue()))


@pytest.mark.parametrize("data", [b"", b"not a tar at all" * 100, tar(("disk/a", b"x" * 5000))[:2000]])
def test_broken_archives(bench: Bench, data: bytes) -> None:
    with pytest.raises(HostError) as caught:
        bench.run(bench.layer(data))
    assert caught.value.reason == "InvalidImage"
    assert bench.left() == []


def test_broken_compression(bench: Bench) -> None:
    whole = gzip.compress(tar(("disk/a", bytes(range(256)) * 400)))
    for data in (b"plain", whole[: len(whole) // 2], whole[:100] + b"garbage" + whole[107:]):
        layer = bench.layer(data)
        with pytest.raises(HostError, match=r"not a valid tar|layer ends"):
            bench.run(Layer(layer.path, "gzip"))
        assert bench.left() == []


def test_it_can_be_stopped(bench: Bench) -> None:
    calls = itertools.count()

    def checkpoint() -> None:
        if next(calls) > 3:
            raise Stopped

    layer = bench.layer(tar(("disk/a", bytes(20 * MIB))))
    with pytest.raises(Stopped):
        extract([layer], lambda path: True, bench.create, checkpoint=checkpoint)
    assert bench.left() == []


def test_names_told_are_few_and_printable(bench: Bench) -> None:
    members = [(f"f{n}", b"") for n in range(10)] + [("bad\x1b[2Jname", b"")]
    found = bench.run(bench.layer(tar(*members)), limits=Limits(names=3))
    assert found.names == ["/f0", "/f1", "/f2"]
    assert not found.names_complete
