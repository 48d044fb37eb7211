"""Huge pages that this host has in reserve, as the kernel tells now. Source: Linux Documentation/admin-guide/mm."""

from __future__ import annotations

from pathlib import Path

POOLS = Path("/sys/kernel/mm/hugepages")


def free(page: int, *, root: Path = POOLS) -> int | None:
    """Pages of ``page`` bytes that are neither in use nor promised; None when the kernel has no such pages."""
    pool = root / f"hugepages-{page // 1024}kB"
    try:
        return max(0, int((pool / "free_hugepages").read_text()) - int((pool / "resv_hugepages").read_text()))
    except (OSError, ValueError):
        return None


def total(page: int, *, root: Path = POOLS) -> int:
    """Pages in the pool, in use or not."""
    try:
        return int((root / f"hugepages-{page // 1024}kB" / "nr_hugepages").read_text())
    except (OSError, ValueError):
        return 0


def reserve_command(page: int, pages: int, *, root: Path = POOLS) -> str:
    """What makes a pool of that many pages."""
    return f"echo {pages} > {root}/hugepages-{page // 1024}kB/nr_hugepages"
