import struct

from solovirt.host.tiny import disk


def test_the_partition_table_has_one_active_partition() -> None:
    record = disk.master_boot_record(b"\xfa" * 440, 63488)

    assert len(record) == 512
    assert record[:440] == b"\xfa" * 440
    assert record[510:] == b"\x55\xaa"
    status, kind, start, sectors = struct.unpack_from("<B3xB3xII", record, 446)
    assert (status, kind, start, sectors) == (0x80, 0x0E, 2048, 63488)
    assert record[462:510] == bytes(48)


def test_short_boot_code_is_filled_up() -> None:
    assert disk.master_boot_record(b"\xfa", 1)[1:446] == bytes(445)
