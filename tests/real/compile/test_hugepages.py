"""Huge pages for real: the host's pool shrinks by the guest's memory. Needs root, which alone may make a pool."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host import hugepages, qemu_probe
from solovirt.host.facts import find_qemu
from solovirt.host.model.facts import HostFacts
from tests.golden import cases
from tests.real.compile import machines

pytestmark = pytest.mark.real
PAGE = 2 << 20
PAGES = 32


@pytest.fixture
def pool() -> Iterator[None]:
    """As many more pages as a guest of 64 MiB takes."""
    file = Path(f"/sys/kernel/mm/hugepages/hugepages-{PAGE >> 10}kB/nr_hugepages")
    if os.geteuid() != 0 or not os.access(file, os.W_OK):
        pytest.skip("only root can reserve huge pages")
    before = int(file.read_text())
    try:
        file.write_text(str(before + PAGES))
        if (hugepages.free(PAGE) or 0) < PAGES:
            pytest.skip("this host's memory is in too many pieces for huge pages")
        yield
    finally:
        file.write_text(str(before))


@pytest.mark.parametrize("name", ["hugepages-2mi", "hugepages-guest-from-page", "numa-passthrough-one"])
def test_the_guests_memory_comes_out_of_the_pool(name: str, pool: None) -> None:
    facts = HostFacts(qemu=asyncio.run(qemu_probe.ask(find_qemu(), "tcg")), accel="tcg")
    case = cases.load(name)
    with machines.on_disk(case) as bindings:
        words, _ = machines.compiled(case, facts, bindings)
        free = hugepages.free(PAGE)
        assert free is not None
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        try:
            machines.talk(process, bindings.sockets.qmp, [("query-status", {})])
            assert hugepages.free(PAGE) == free - PAGES
        finally:
            process.kill()
            process.wait()
        assert hugepages.free(PAGE) == free
