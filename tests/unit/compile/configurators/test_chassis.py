from solovirt.compile.configurators import chassis
from tests.unit.compile.helpers import run


def test_strings() -> None:
    assert run(chassis.options, "domain: {chassis: {manufacturer: 'A, B', sku: '7'}}") == [
        "-smbios type=3,manufacturer=A,, B,sku=7"
    ]


def test_nothing_to_say() -> None:
    assert run(chassis.options) == run(chassis.options, "domain: {chassis: {}}") == []
