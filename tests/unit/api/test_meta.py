from solovirt.api.meta import Condition, find_condition, remove_condition, set_condition


def test_conditions_change_their_time_only_with_their_status() -> None:
    conditions: list[Condition] = []
    assert set_condition(conditions, Condition(type="Ready", status="False", reason="A"), "t1")
    assert not set_condition(conditions, Condition(type="Ready", status="False", reason="A"), "t2")
    assert set_condition(conditions, Condition(type="Ready", status="False", reason="B"), "t3")
    assert conditions[0].last_transition_time == "t1"
    assert set_condition(conditions, Condition(type="Ready", status="True"), "t4")
    assert (conditions[0].reason, conditions[0].last_transition_time) == ("", "t4")
    assert len(conditions) == 1


def test_conditions_are_found_and_removed_by_type() -> None:
    conditions = [Condition(type="A", status="True"), Condition(type="B", status="True")]
    assert find_condition(conditions, "B") is conditions[1]
    assert remove_condition(conditions, "A") and not remove_condition(conditions, "A")
    assert find_condition(conditions, "A") is None
