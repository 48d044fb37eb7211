from __future__ import annotations

import pytest

from solovirt.api.cdi.datavolume import BlankSource, DataVolumeImport, DataVolumeSpec
from solovirt.api.kubevirt.spec.scheduling import LabelSelector, Requirement
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate
from solovirt.api.meta import ObjectMeta
from solovirt.api.pool.validation import validate_pool
from solovirt.api.pool.virtualmachinepool import (
    Autohealing,
    OpportunisticScaleIn,
    ProactiveScaleIn,
    ProactiveUpdate,
    ScaleInStrategy,
    SelectionPolicy,
    Selectors,
    UpdateStrategy,
    VirtualMachinePool,
)
from solovirt.kit.json import clone
from tests.unit.controllers.replicas.world import pool


def messages(found: VirtualMachinePool, old: VirtualMachinePool | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in validate_pool(found, old)}


def test_a_good_one_is_left_as_it_is() -> None:
    made = pool()
    before = clone(made)
    assert messages(made) == {}
    assert made == before


def test_selectors_match_and_stay() -> None:
    made = pool()
    made.spec.selector.match_labels["tier"] = "db"
    assert messages(made) == {"spec.selector": "selector does not match labels."}
    changed = pool()
    changed.spec.virtual_machine_template.metadata.labels["tier"] = "db"
    changed.spec.selector.match_labels["tier"] = "db"
    assert messages(changed, pool()) == {"spec.selector": "selector is immutable after creation."}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "maxUnavailable must be greater than 0"),
        (-3, "maxUnavailable must be greater than 0"),
        ("50", "maxUnavailable percentage must end with %"),
        ("x%", 'maxUnavailable percentage value "x" is invalid: strconv.Atoi: parsing "x": invalid syntax'),
        ("0%", "maxUnavailable percentage value 0 must be between 1 and 100"),
        ("101%", "maxUnavailable percentage value 101 must be between 1 and 100"),
    ],
)
def test_max_unavailable(value: int | str, text: str) -> None:
    made = pool()
    made.spec.max_unavailable = value
    assert messages(made) == {"spec.maxUnavailable": text}


@pytest.mark.parametrize("value", [1, "1%", "100%", "+5%"])
def test_good_max_unavailable(value: int | str) -> None:
    made = pool()
    made.spec.max_unavailable = value
    assert messages(made) == {}


def test_what_is_wrong_in_the_template_has_its_place() -> None:
    made = pool()
    spec = made.spec.virtual_machine_template.spec
    spec.run_strategy = "Sometimes"
    spec.template.spec.hostname = "no spaces"
    blank = DataVolumeSpec(source=DataVolumeImport(blank=BlankSource()))
    spec.data_volume_templates = [DataVolumeTemplate(metadata=ObjectMeta(name="disk"), spec=blank)]
    found = messages(made)
    place = "spec.virtualMachineTemplate.spec"
    assert found[f"{place}.runStrategy"].startswith(f"{place}.runStrategy: Invalid RunStrategy")
    assert f"{place}.template.spec.hostname" in found
    text = found[f"{place}.dataVolumeTemplates[0]"]
    entry = f"{place}.dataVolumeTemplates[0]"
    assert text == f"DataVolumeTemplate entry {entry} must be referenced in the VMI template's 'volumes' list"


def test_policies() -> None:
    made = pool()
    bad = SelectionPolicy(
        sort_policy="Biggest",
        selectors=Selectors(
            label_selector=LabelSelector(match_expressions=[Requirement(key="a", operator="Like")]),
            node_selector_requirement_matcher=[Requirement(key="a", operator="Gt", values=["x"])],
        ),
    )
    made.spec.scale_in_strategy = ScaleInStrategy(
        proactive=ProactiveScaleIn(selection_policy=bad, state_preservation="Maybe"),
        opportunistic=OpportunisticScaleIn(state_preservation="Perhaps"),
    )
    made.spec.update_strategy = UpdateStrategy(proactive=ProactiveUpdate(selection_policy=bad))
    found = messages(made)
    scale_in, update = "spec.scaleInStrategy", "spec.updateStrategy.proactive.selectionPolicy"
    assert set(found) == {
        f"{scale_in}.opportunistic.statePreservation",
        f"{scale_in}.proactive.statePreservation",
        *(
            f"{place}.{name}"
            for place in (f"{scale_in}.proactive.selectionPolicy", update)
            for name in ("sortPolicy", "selectors.labelSelector", "selectors.nodeSelectorRequirementMatcher")
        ),
    }
    assert '"AscendingOrder", "DescendingOrder"' in found[f"{update}.sortPolicy"]


def test_autohealing() -> None:
    made = pool()
    made.spec.autohealing = Autohealing(start_up_failure_threshold=0, min_failing_to_start_duration="soon")
    assert set(messages(made)) == {
        "spec.autohealing.startUpFailureThreshold",
        "spec.autohealing.minFailingToStartDuration",
    }
    made.spec.autohealing = Autohealing(start_up_failure_threshold=1, min_failing_to_start_duration="1h")
    assert messages(made) == {}


def test_one_that_is_being_deleted_is_let_through() -> None:
    made = pool()
    made.spec.max_unavailable = 0
    made.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    assert messages(made) == {}
