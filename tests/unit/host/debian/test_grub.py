from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solovirt.host.debian import grub
from solovirt.kit.errors import HostError


@given(st.binary(min_size=512, max_size=512), st.integers(0, (1 << 64) - 1))
def test_the_boot_sector_finds_the_core_and_keeps_the_rest(boot: bytes, start: int) -> None:
    code = grub.boot_sector(boot, start)

    assert len(code) == 440, "the disk signature and the partition table are not touched"
    assert struct.unpack_from("<Q", code, 0x5C) == (start,)
    assert code[0x66:0x68] == b"\x90\x90"
    assert (code[:0x5C], code[0x64:0x66], code[0x68:]) == (boot[:0x5C], boot[0x64:0x66], boot[0x68:440])


@given(st.binary(min_size=513, max_size=4096), st.integers(1, 1 << 32))
def test_the_core_says_where_the_rest_of_it_lies(core: bytes, start: int) -> None:
    image = grub.core_image(core, start, 8)

    assert len(image) % 512 == 0
    assert struct.unpack_from("<QHH", image, 500) == (start + 1, len(image) // 512 - 1, 0x820)
    assert image[:500] == core[:500]
    assert image[512 : len(core)] == core[512:]


@pytest.mark.parametrize("size", [0, 511, 513])
def test_a_boot_image_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(HostError, match=r"boot\.img"):
        grub.boot_sector(bytes(size), 2048)


@pytest.mark.parametrize("size", [100, 512, 4097])
def test_a_core_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(HostError, match=r"core\.img"):
        grub.core_image(bytes(size), 2048, 8)
