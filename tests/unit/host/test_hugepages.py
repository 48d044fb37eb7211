from __future__ import annotations

from pathlib import Path

from solovirt.host import hugepages


def test_a_pool(tmp_path: Path) -> None:
    pool = tmp_path / "hugepages-2048kB"
    pool.mkdir()
    for name, number in (("nr", 10), ("free", 7), ("resv", 2)):
        (pool / f"{name}_hugepages").write_text(f"{number}\n")
    assert hugepages.free(2 << 20, root=tmp_path) == 5
    assert hugepages.total(2 << 20, root=tmp_path) == 10
    assert hugepages.free(1 << 30, root=tmp_path) is None
    assert hugepages.total(1 << 30, root=tmp_path) == 0
    assert hugepages.reserve_command(2 << 20, 12) == "echo 12 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
