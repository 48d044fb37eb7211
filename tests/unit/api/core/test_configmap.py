from solovirt.api.core.configmap import RESOURCE, ConfigMap, validate
from solovirt.api.meta import ObjectMeta


def configmap(**fields: object) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="c"), **fields)


def messages(new: ConfigMap, old: ConfigMap | None = None) -> list[str]:
    return [cause.message for cause in validate(new, old)]


def test_good_ones() -> None:
    assert messages(configmap(data={"a": "b"}, binary_data={"c": "aGk="})) == []


def test_problems() -> None:
    assert messages(configmap(binary_data={"c": "!"})) == ['binaryData.c: Invalid value: "!": must be base64']
    assert messages(configmap(data={"a": "b"}, binary_data={"a": ""})) == [
        'binaryData.a: Invalid value: "a": duplicate of key present in data'
    ]
    assert messages(configmap(data={"../x": ""}))[0].startswith('data[../x]: Invalid value: "../x"')
    assert messages(configmap(data={"a": "x" * 2**20}, binary_data={"b": "aGk="})) == [
        "data: Too long: may not be more than 1048576 bytes"
    ]


def test_immutable() -> None:
    old = configmap(data={"a": "b"}, immutable=True)
    assert messages(configmap(data={"a": "c"}, immutable=True), old) == [
        "data: Forbidden: field is immutable when `immutable` is set"
    ]


def test_columns() -> None:
    assert RESOURCE.columns[0].cell(configmap(data={"a": ""}, binary_data={"b": ""})) == 2
