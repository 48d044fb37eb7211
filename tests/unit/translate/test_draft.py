from __future__ import annotations

import pytest

from solovirt.translate.draft import Draft, label, quantity


def test_values_make_the_objects_above_them() -> None:
    draft = Draft("web")
    draft.put("domain.cpu.cores", 2)
    draft.add("domain.devices.disks", {"name": "a"})
    assert draft.items("volumes") == []
    assert draft.manifest() == {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web"},
        "spec": {
            "runStrategy": "Halted",
            "template": {"spec": {"domain": {"cpu": {"cores": 2}, "devices": {"disks": [{"name": "a"}]}}}},
        },
    }
    with pytest.raises(TypeError):
        draft.put("domain.cpu.cores.x", 1)
    with pytest.raises(TypeError):
        draft.items("domain.cpu")


def test_names_are_labels_and_each_once() -> None:
    draft = Draft()
    assert draft.free_name("Root_Disk!", "disks") == "root-disk"
    draft.add("disks", {"name": "root-disk"})
    assert draft.free_name("root_disk", "disks") == "root-disk-2"
    assert draft.free_name("ß", "disks") == "device"
    assert label("x" * 80) == "x" * 63


def test_losses_and_notes_stand_once() -> None:
    draft = Draft()
    for _ in range(2):
        draft.lose("-x", "why")
        draft.note("do it")
    assert (len(draft.losses), draft.notes) == (1, ["do it"])


def test_quantities() -> None:
    assert [quantity(n) for n in (1 << 30, 3 << 19, 1000)] == ["1Gi", "1536Ki", "1000"]
