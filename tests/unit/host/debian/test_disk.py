from __future__ import annotations

from solovirt.host.debian import disk


def test_partitions_follow_each_other_on_mebibytes() -> None:
    assert disk.CORE_START + disk.CORE_SECTORS <= disk.ESP_START
    assert disk.ESP_START + disk.ESP_SECTORS <= disk.ROOT_START
    assert [start % disk.MIB for start in (disk.CORE_START, disk.ESP_START, disk.ROOT_START)] == [0, 0, 0]


def test_the_signed_grub_goes_on_to_the_one_on_the_root() -> None:
    lines = disk.GRUB_CONFIG.splitlines()

    assert lines[0].endswith("--set=root root"), "found by label: the disk may be any"
    assert lines[-1] == "configfile $prefix/grub.cfg"
