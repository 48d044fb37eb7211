from solovirt.api.columns import condition_status, core_age, crd_age, created
from solovirt.api.core.configmap import ConfigMap
from solovirt.api.meta import Condition, ObjectMeta


def test_ages_are_the_creation_time() -> None:
    obj = ConfigMap(metadata=ObjectMeta(creation_timestamp="2026-11-22T14:00:00Z"))
    assert created(obj) == core_age(ConfigMap).cell(obj) == crd_age(ConfigMap).cell(obj) == "2026-11-22T14:00:00Z"
    assert (core_age(ConfigMap).type, crd_age(ConfigMap).type) == ("string", "date")


def test_condition_cells() -> None:
    conditions = [Condition(type="Ready", status="False")]
    assert condition_status(conditions, "Ready") == "False"
    assert condition_status(conditions, "Paused") is None
