"""Figures for guests that ask for them."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import cast

import pytest

from solovirt.api.kubevirt.spec.devices import DownwardMetrics
from solovirt.api.kubevirt.spec.sources import DownwardMetricsSource, Volume
from solovirt.controllers.vmi.metrics import Metrics
from solovirt.host.volumes import metrics as disk
from solovirt.host.volumes import overlay
from solovirt.hypervisor import vhostmd
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import Unavailable
from solovirt.kit.json import Json
from tests.unit.controllers.lab import Lab, lone_vmi


class Identity:
    class sockets:
        downward_metrics = "/run/metrics.sock"


class Machine:
    """``guest`` is the guest's end of the channel."""

    uid, pid, identity, has_exited = "1", os.getpid(), Identity, False

    def __init__(self, *, silent: bool = False) -> None:
        self.ours, self.guest = socket.socketpair()
        self.guest.setblocking(False)
        self.silent = silent

    def connect(self, path: str) -> socket.socket:
        assert path == Identity.sockets.downward_metrics
        return self.ours

    async def qmp(self, command: str) -> Json:
        if self.silent:
            raise Unavailable("gone")
        answers: dict[str, Json] = {
            "query-cpus-fast": [{"thread-id": os.getpid()}, {"thread-id": 0}],
            "query-memory-size-summary": {"base-memory": 64 << 20},
        }
        return answers[command]


async def test_over_the_channel(lab: Lab) -> None:
    machine, metrics, vmi = Machine(), Metrics(lab.manager._site), lone_vmi()
    vmi.spec.domain.devices.downward_metrics = DownwardMetrics()
    for _ in range(2):
        metrics.watch(vmi, cast(Instance, machine))
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(machine.guest, vhostmd.REQUEST + b"\n\n")
    answer = b""
    while not answer.endswith(b"\n\n"):
        answer += await asyncio.wait_for(loop.sock_recv(machine.guest, 65536), 60)
    for part in (b"<name>ResourceProcessorLimit</name>", b"<value>65536</value>", b"<name>HostName</name>"):
        assert part in answer
    metrics.forget("1")
    await metrics.close()
    machine.guest.close()


async def test_onto_a_disk(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, metrics, vmi = Machine(silent=True), Metrics(lab.manager._site), lone_vmi()
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    seen: list[tuple[Path, list[disk.Metric]]] = []

    def refresh(path: Path, figures: list[disk.Metric]) -> None:
        seen.append((path, figures))
        loop.call_soon_threadsafe(written.set)

    monkeypatch.setattr(disk, "refresh", refresh)
    vmi.spec.volumes = [Volume(name="m", downward_metrics=DownwardMetricsSource())]
    metrics.watch(vmi, cast(Instance, machine))
    await asyncio.wait_for(written.wait(), 60)
    path, figures = seen[0]
    assert path == overlay.metrics_path(lab.manager._site.paths.instance("1"), "m")
    assert {figure.context for figure in figures} == {"host"}, "a machine that does not answer has none"
    await metrics.close()
    machine.ours.close()
    machine.guest.close()


async def test_nobody_asked(lab: Lab) -> None:
    metrics = Metrics(lab.manager._site)
    metrics.watch(lone_vmi(), cast(Instance, Machine.__new__(Machine)))
    assert not metrics._served
    await metrics.close()
