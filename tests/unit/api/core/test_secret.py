import copy

from solovirt.api.core.secret import RESOURCE, Secret, default, validate
from solovirt.api.meta import ObjectMeta


def secret(**fields: object) -> Secret:
    return Secret(metadata=ObjectMeta(name="s"), **fields)


def messages(new: Secret, old: Secret | None = None) -> list[str]:
    return [cause.message for cause in validate(new, old)]


def test_string_data_goes_into_data_and_wins() -> None:
    made = secret(data={"a": "b2xk", "b": "aGk="}, string_data={"a": "hi"})
    default(made)
    assert (made.data, made.string_data, made.type) == ({"a": "aGk=", "b": "aGk="}, {}, "Opaque")
    assert messages(made) == []


def test_data_is_base64() -> None:
    assert messages(secret(data={"a": "no base64"})) == ["data[a]: Invalid value: must be base64"]
    assert messages(secret(data={"a/b": ""}))[0].startswith('data[a/b]: Invalid value: "a/b": a valid config key')


def test_values_of_secrets_never_stand_in_messages() -> None:
    assert "hunter2" not in messages(secret(data={"password": "hunter2!"}))[0]


def test_types_have_their_own_keys() -> None:
    assert messages(secret(type="kubernetes.io/dockerconfigjson")) == ["data[.dockerconfigjson]: Required value"]


def test_updates() -> None:
    old = secret(data={"a": "aGk="}, type="Opaque", immutable=True)
    new = copy.deepcopy(old)
    assert messages(new, old) == []
    new.data = {}
    assert messages(new, old) == ["data: Forbidden: field is immutable when `immutable` is set"]
    assert messages(secret(type="x"), secret(type="y")) == ['type: Invalid value: "x": field is immutable']


def test_columns_and_selectors() -> None:
    made = secret(data={"a": "", "b": ""}, type="Opaque")
    assert [column.cell(made) for column in RESOURCE.columns] == ["Opaque", 2, None]
    assert RESOURCE.selectable(made) == {"type": "Opaque"}
