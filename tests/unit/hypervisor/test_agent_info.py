from __future__ import annotations

import pytest

from solovirt.hypervisor.agent_info import LIST_LIMIT, STRING_LIMIT, FileSystem, Interface, OsInfo, User, read
from solovirt.kit.errors import GuestError


def test_missing_null_and_unknown_fields() -> None:
    assert read("c", {}, OsInfo) == OsInfo()
    assert read("c", {"pretty-name": "Debian", "variant": None, "new-field": [1]}, OsInfo).pretty_name == "Debian"
    [lo] = read("c", [{"name": "lo", "statistics": {"rx-bytes": 1}, "ip-addresses": [{}]}], tuple[Interface, ...])
    assert (lo.name, lo.hardware_address, lo.ip_addresses[0].ip_address) == ("lo", "", "")
    [disk] = read("c", [{"name": "vda1", "disk": [{"bus-type": "virtio", "unit": 0}]}], tuple[FileSystem, ...])
    assert (disk.used_bytes, disk.disk[0].bus_type) == (None, "virtio")


def test_login_time_may_be_whole() -> None:
    assert read("c", [{"user": "root", "login-time": 12}], tuple[User, ...])[0].login_time == 12.0


@pytest.mark.parametrize("reply", [[], None, {"pretty-name": 5}, {"id": ["x"]}, "text"])
def test_wrong_types_are_a_bad_reply(reply: None) -> None:
    with pytest.raises(GuestError, match=r"^guest-get-osinfo: ") as caught:
        read("guest-get-osinfo", reply, OsInfo)
    assert caught.value.reason == "AgentBadReply"


def test_strings_are_printable_and_lists_are_cut() -> None:
    assert read("c", {"name": "\x1b]0;owned\x07"}, OsInfo).name == "]0;owned"
    assert len(read("c", {"name": "x" * 10**6}, OsInfo).name) == STRING_LIMIT
    assert len(read("c", [{}] * 10_000, tuple[User, ...])) == LIST_LIMIT
