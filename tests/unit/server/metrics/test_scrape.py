"""GET /metrics over real objects: parsed as Prometheus would, looked at by name and labels."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from solovirt.controllers.figures import MachineFigures
from solovirt.hypervisor.figures import Figures
from solovirt.server.metrics.families import CONTENT_TYPE
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import VMIS, VMS, created, vm, vmi

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type != "unknown", family
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


async def scraped(client: Client) -> Samples:
    answer = await client.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    return parsed(answer.body.decode())


async def test_objects_machines_and_ourselves(client: Client, operations: FakeOperations) -> None:
    await created(client, VMS, vm())
    made = await created(client, VMIS, vmi())
    figures = Figures(at=1.0)
    uid = made["metadata"]["uid"]
    operations.measured.found = [MachineFigures("default", "bare", uid, figures, console_open=True)]
    operations.measured.tallies.connected(("default", "bare"))
    found = await scraped(client)
    names = {name for name, _ in found}
    assert {"kubevirt_vm_info", "kubevirt_vmi_info", "kubevirt_info", "solovirt_store_revision"} <= names
    own = frozenset({("namespace", "default"), ("vmi", "bare")})
    assert found["kubevirt_console_active_connections", own] == 1
    assert found["kubevirt_workqueue_depth", frozenset({("name", "vmi")})] == 2
    assert found["kubevirt_configuration_emulation_enabled", frozenset()] == 1


async def test_what_could_not_be_measured_is_told(client: Client, operations: FakeOperations) -> None:
    operations.measured.found = [MachineFigures("default", "gone", "u", None, 'not measured\n"in" time')]
    found = await scraped(client)
    errors = {labels: value for (name, labels), value in found.items() if name == "solovirt_scrape_errors"}
    (labels,) = errors
    assert dict(labels) == {"node": "node", "namespace": "default", "name": "gone", "reason": 'not measured "in" time'}


async def test_only_get(client: Client) -> None:
    assert (await client.post("/metrics", {})).status == 405


async def test_several_at_once(client: Client) -> None:
    answers = await asyncio.gather(*(client.get("/metrics") for _ in range(5)))
    assert {answer.status for answer in answers} == {200}


async def test_nothing_there(client: Client) -> None:
    found = await scraped(client)
    assert not [name for name, _ in found if name.startswith(("kubevirt_vm_", "kubevirt_vmi_"))]
