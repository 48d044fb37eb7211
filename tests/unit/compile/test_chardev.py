"""Sockets: listening, not waiting, and short enough to exist."""

from __future__ import annotations

import pytest

from solovirt.compile.chardev import SOCKET_PATH_MAX, check_path, socket
from solovirt.compile.reasons import default
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import lines

WHY = default("x")


def test_socket_with_a_comma_in_its_path() -> None:
    assert lines([socket("c", "/r/a,b", WHY)]) == ["-chardev socket,id=c,path=/r/a,,b,server=on,wait=off"]


def test_log() -> None:
    assert lines([socket("c", "/r/s", WHY, log="/s/l")])[0].endswith("wait=off,logfile=/s/l,logappend=on")


def test_the_longest_path_fits_and_one_more_does_not() -> None:
    check_path("/" + "a" * (SOCKET_PATH_MAX - 1))
    with pytest.raises(HostError) as caught:
        socket("c", "/" + "é" * 54, WHY)
    assert caught.value.reason == "PathTooLong"
