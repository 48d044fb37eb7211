from __future__ import annotations

from solovirt.kit.json import Json
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


def paths(explanation: Json) -> set[str]:
    """Every field path that a reason names."""
    match explanation:
        case {"path": str(path), **rest}:
            return {path} | paths(list(rest.values()))
        case dict():
            return paths(list(explanation.values()))
        case list():
            return set().union(*(paths(item) for item in explanation)) if explanation else set()
    return set()


async def test_a_stopped_vm_can_be_explained(lab: Lab) -> None:
    await lab.create("Halted")
    explanation = await lab.manager.operations.explain("default", "vm")
    assert "spec.template.spec.domain.memory.guest" in paths(explanation)


async def test_a_running_vm_is_explained_as_it_was_started(lab: Lab) -> None:
    await lab.create("Always")
    explanation = await lab.manager.operations.explain("default", "vm")
    assert str(lab.paths.sockets(lab.vmi().metadata.uid)) in str(explanation)
    assert "spec.template.spec.domain.memory.guest" in paths(explanation)


async def test_a_lone_vmi_has_paths_of_its_own(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    explanation = await lab.manager.operations.explain("default", "lone")
    assert "spec.domain.memory.guest" in paths(explanation)
