from __future__ import annotations

from pathlib import Path

from solovirt.host import numa
from solovirt.host.model.facts import HostNode


def test_nodes(tmp_path: Path) -> None:
    for number, cpus in ((10, "2-3"), (0, "0-1,4"), (1, "x")):
        folder = tmp_path / f"node{number}"
        (folder / "hugepages/hugepages-2048kB").mkdir(parents=True)
        (folder / "hugepages/hugepages-2048kB/nr_hugepages").write_text("7\n")
        (folder / "cpulist").write_text(f"{cpus}\n")
        (folder / "meminfo").write_text(f"Node {number} MemTotal:    1024 kB\nNode {number} MemFree: 1 kB\n")
    (tmp_path / "possible").write_text("0-10")
    assert numa.nodes(tmp_path) == (
        HostNode(0, (0, 1, 4), 1 << 20, {2 << 20: 7}),
        HostNode(1, (), 1 << 20, {2 << 20: 7}),
        HostNode(10, (2, 3), 1 << 20, {2 << 20: 7}),
    )
    assert numa.nodes(tmp_path / "none") == ()
