from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor import png
from solovirt.kit.errors import GuestError

PPM = b"P6\n2 1\n255\n" + bytes(range(6))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_ppm_becomes_a_png() -> None:
    made = png.from_ppm(PPM + b"more")
    assert png.checked(made) == made and png.size(made) == (2, 1)
    start = made.index(b"IDAT") + 4
    length = struct.unpack(">I", made[start - 8 : start - 4])[0]
    assert zlib.decompress(made[start : start + length]) == b"\0" + bytes(range(6))


@pytest.mark.parametrize(
    "bad",
    [b"", b"P5\n2 1\n255\n123456", PPM[:-1], b"P6\n0 1\n255\n", b"P6\n99999 99999\n255\nx", b"P6\n2 1\n65535\nxx"],
)
def test_what_is_no_ppm(bad: bytes) -> None:
    with pytest.raises(GuestError):
        png.from_ppm(bad)


def test_what_follows_a_picture_is_cut_off() -> None:
    made = png.from_ppm(PPM)
    assert png.checked(made + b"\0" * 100) == made


def test_what_is_no_png() -> None:
    made = png.from_ppm(PPM)
    flipped = bytearray(made)
    flipped[made.index(b"IDAT") + 5] ^= 1
    header = struct.pack(">IIBBBBB", 0, 1, 8, 2, 0, 0, 0)
    huge = struct.pack(">IIBBBBB", 1 << 30, 1 << 30, 8, 2, 0, 0, 0)
    for bad in (
        b"",
        b"GIF89a",
        made[:-1],
        made[:40],
        bytes(flipped),
        png.SIGNATURE + chunk(b"IEND", b""),
        png.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IEND", b""),
        png.SIGNATURE + chunk(b"IHDR", huge) + chunk(b"IEND", b""),
    ):
        with pytest.raises(GuestError) as caught:
            png.checked(bad)
        assert caught.value.reason == "BrokenPicture"


@settings(max_examples=80)
@given(st.binary(max_size=200))
def test_a_hostile_writer(data: bytes) -> None:
    for given_ in (data, png.SIGNATURE + data):
        with pytest.raises(GuestError):
            png.checked(given_)


def test_parts_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made = png.from_ppm(PPM)
    many = made[:33] + chunk(b"tEXt", b"") * 10 + made[33:]
    assert png.checked(many) == many
    monkeypatch.setattr(png, "MOST_CHUNKS", 10)
    with pytest.raises(GuestError, match="too many parts"):
        png.checked(many)
