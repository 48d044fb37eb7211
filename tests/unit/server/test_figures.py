"""``figures`` over HTTP."""

from __future__ import annotations

import pytest

from solovirt.controllers.figures import MachineFigures
from solovirt.hypervisor.figures import Figures, Process
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT, VMIS, created, vmi

ALL = "/apis/subresources.solovirt.io/v1/figures"


@pytest.fixture(autouse=True)
def _measured(operations: FakeOperations) -> None:
    figures = Figures(at=2.5, process=Process(1.0, 0.5, 4096, 7.0, 3), errors=("no monitor",))
    operations.measured.found = [
        MachineFigures("default", "bare", "u1", figures),
        MachineFigures("other", "far", "u2", None, "slow"),
    ]


async def test_of_all_namespaces_and_of_one(client: Client) -> None:
    answer = (await client.get(ALL)).json()
    assert answer["kind"] == "FiguresList"
    assert answer["host"] == {"node": "node", "cpus": 4, "memory": 8 << 30, "accel": "tcg"}
    first, second = answer["items"]
    assert first["metadata"] == {"namespace": "default", "name": "bare", "uid": "u1"}
    assert first["figures"]["at"] == 2.5
    assert first["figures"]["process"]["resident"] == 4096
    assert first["errors"] == ["no monitor"]
    assert (second["figures"], second["errors"]) == (None, ["slow"])
    assert [item["metadata"]["name"] for item in (await client.get(f"{EXT}/figures")).json()["items"]] == ["bare"]


async def test_of_one_machine(client: Client, operations: FakeOperations) -> None:
    assert (await client.get(f"{EXT}/figures/bare")).status == 404
    await created(client, VMIS, vmi())
    assert len((await client.get(f"{EXT}/figures/bare")).json()["items"]) == 1
    operations.measured.found = []
    assert (await client.get(f"{EXT}/figures/bare")).json()["items"] == []


async def test_only_get_and_nothing_below(client: Client) -> None:
    assert (await client.post(ALL, {})).status == 405
    assert (await client.get(f"{EXT}/figures/bare/more")).status == 404
