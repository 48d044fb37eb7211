"""Figures of a made-up host."""

from __future__ import annotations

import os
from pathlib import Path

from solovirt.host.figures import host_figures

MEMINFO = """MemTotal: 1000 kB
MemFree: 300 kB
Buffers: 50 kB
Cached: 150 kB
SwapCached: 10 kB
SwapTotal: 200 kB
SwapFree: 120 kB
"""


def test_kubevirts_names_and_sums(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    tick = os.sysconf("SC_CLK_TCK")
    (tmp_path / "proc/stat").write_text(f"cpu  {tick} {tick} {2 * tick} 99 0 0\n")
    (tmp_path / "proc/vmstat").write_text("pswpin 4\npswpout 8\n")
    for cpu, package in ((0, 0), (1, 0), (2, 1)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(f"{package}\n")
    found = {metric.name: metric.value for metric in host_figures("node", "qemu-7.2.22", root=tmp_path)}
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    assert found.pop("Time")
    assert found == {
        "HostName": "node",
        "HostSystemInfo": "linux",
        "VirtualizationVendor": "kubevirt.io",
        "VirtProductInfo": "qemu-7.2.22",
        "NumberOfPhysicalCPUs": 2,
        "TotalCPUTime": 4.0,
        "FreePhysicalMemory": 300,
        "FreeVirtualMemory": 420,
        "MemoryAllocatedToVirtualServers": 500,
        "UsedVirtualMemory": 690,
        "PagedInMemory": 4 * page,
        "PagedOutMemory": 8 * page,
    }


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    names = [metric.name for metric in host_figures("node", "qemu", root=tmp_path)]
    assert "FreePhysicalMemory" not in names and "TotalCPUTime" not in names and "HostName" in names
