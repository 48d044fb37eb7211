"""Presets are merged into new VMIs, part by part."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.preset import VirtualMachineInstancePreset
from solovirt.api.kubevirt.preset_resource import RESOURCE
from solovirt.api.kubevirt.presets import APPLIED, EXCLUDE, OVERRIDDEN, matching, merge, mutate
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import JsonObject, to_json
from tests.unit.api.instancetype.samples import Objects, make, spec

WHOLE: JsonObject = {
    "resources": {"requests": {"memory": "1Gi"}},
    "cpu": {"cores": 2},
    "firmware": {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"},
    "features": {"apic": {}},
    "ioThreadsPolicy": "auto",
    "clock": {"utc": {}, "timer": {"rtc": {}}},
    "devices": {"watchdog": {"name": "w", "i6300esb": {}}},
}


def preset(name: str, domain: JsonObject, labels: dict[str, str] | None = None) -> VirtualMachineInstancePreset:
    return make(RESOURCE, name, {"selector": {"matchLabels": {**(labels or {})}}, "domain": domain})


def vmi(labels: object = None, **domain: object) -> VirtualMachineInstance:
    meta = ObjectMeta(name="a", namespace="default", labels=labels if isinstance(labels, dict) else {})
    return VirtualMachineInstance(metadata=meta, spec=spec(**domain))


def test_all_parts_fill_what_is_unset() -> None:
    made = vmi()
    mutate(made, None, Objects(preset("p", WHOLE)))
    assert made.metadata.annotations == {f"{APPLIED}p": "kubevirt.io/v1"}
    assert to_json(made.spec.domain) == WHOLE


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"resources": {"requests": {"memory": "2Gi"}}}, "spec.resources.requests[memory]: 1Gi != 2Gi"),
        ({"cpu": {"cores": 3}}, 'spec.cpu: {"cores":2} != {"cores":3}'),
        ({"features": {"smm": {}}}, "spec.features: "),
        ({"ioThreadsPolicy": "shared"}, 'spec.ioThreadsPolicy: "auto" != "shared"'),
        ({"clock": {"timezone": "UTC"}}, "spec.clock.clockoffset: "),
        ({"clock": {"utc": {}, "timer": {"pit": {}}}}, "spec.clock.timer: "),
        ({"devices": {"watchdog": {"name": "x"}}}, "spec.devices.watchdog: "),
    ],
)
def test_a_part_that_differs_stays_the_vmis(own: dict[str, object], told: str) -> None:
    made, kept = vmi(**own), to_json(spec(**own).domain)
    applied, overridden = merge(spec(**WHOLE).domain, made.spec.domain)
    assert applied
    (text,) = overridden
    assert text.startswith(told)
    after = to_json(made.spec.domain)
    assert isinstance(after, dict)
    assert isinstance(kept, dict)
    for key, value in own.items():
        assert key == "clock" or after[key] == value == kept[key]


def test_nothing_applied_is_not_annotated_as_applied() -> None:
    made = vmi(cpu={"cores": 3})
    mutate(made, None, Objects(preset("p", {"cpu": {"cores": 2}})))
    assert list(made.metadata.annotations) == [f"{OVERRIDDEN}p"]


def test_only_new_and_selected_vmis() -> None:
    objects = Objects(preset("p", WHOLE, {"size": "big"}))
    other, excluded = vmi({"size": "small"}), vmi({"size": "big"})
    excluded.metadata.annotations[EXCLUDE] = "true"
    assert matching(other, objects) == matching(excluded, objects) == []
    assert [found.metadata.name for found in matching(vmi({"size": "big"}), objects)] == ["p"]
    old = vmi({"size": "big"})
    mutate(old, old, objects)
    assert old == vmi({"size": "big"})


def test_presets_that_differ_refuse_the_vmi() -> None:
    objects = Objects(preset("a", {"cpu": {"cores": 1}}), preset("b", {"cpu": {"cores": 2}}))
    with pytest.raises(BadRequest, match="VirtualMachinePresets cannot be applied due to conflicts: presets 'b' and"):
        mutate(vmi(), None, objects)
