"""Rules for files of a downwardAPI volume."""

from __future__ import annotations

import pytest

from .test_volumes import found


def downward(file: dict[str, object]) -> tuple[str, str]:
    [(field, message)] = found({"downwardAPI": {"fields": [file]}})
    return field.removeprefix("v[0].downwardAPI.fields[0]"), message


NAME = {"fieldPath": "metadata.name"}


@pytest.mark.parametrize(
    ("file", "field", "message"),
    [
        ({"path": "", "fieldRef": NAME}, ".path", "Required value"),
        ({"path": "/etc/passwd", "fieldRef": NAME}, ".path", "must be a relative path"),
        ({"path": "a/../b", "fieldRef": NAME}, ".path", "must not contain '..'"),
        ({"path": "a", "mode": 512, "fieldRef": NAME}, ".mode", "between 0 and 0777"),
        ({"path": "a"}, "", "one of fieldRef and resourceFieldRef is required"),
        ({"path": "a", "fieldRef": {"fieldPath": "spec.nodeName"}}, ".fieldRef.fieldPath", "field label not supported"),
        ({"path": "a", "fieldRef": {**NAME, "apiVersion": "v2"}}, ".fieldRef.apiVersion", "Unsupported value"),
        (
            {"path": "a", "fieldRef": NAME, "resourceFieldRef": {"resource": "limits.cpu"}},
            "",
            "can not be specified simultaneously",
        ),
        ({"path": "a", "resourceFieldRef": {"resource": "limits.gpu"}}, ".resourceFieldRef.resource", "Unsupported"),
        (
            {"path": "a", "resourceFieldRef": {"resource": "limits.cpu", "divisor": "x"}},
            ".resourceFieldRef.divisor",
            "quantities must match",
        ),
    ],
)
def test_downward_files(file: dict[str, object], field: str, message: str) -> None:
    place, text = downward(file)
    assert place == field and message in text
