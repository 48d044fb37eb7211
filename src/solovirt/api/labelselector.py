"""Label selectors as objects write them (``matchLabels``, ``matchExpressions``): checked, compiled, as one text.

Source: k8s.io/apimachinery/pkg/apis/meta/v1 ``LabelSelectorAsSelector``. Must not know who selects what.
"""

from __future__ import annotations

from collections.abc import Iterable

from solovirt.api import selectors
from solovirt.api.kubevirt.spec.scheduling import LabelSelector
from solovirt.api.kubevirt.spec.scheduling import Requirement as Expression
from solovirt.api.selectors import Requirement
from solovirt.kit.names import key_problem, label_value_problem

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
_NODE_OPERATORS = {**_OPERATORS, "Gt": "gt", "Lt": "lt"}
_SHOWN = 80


def compile_selector(selector: LabelSelector) -> selectors.LabelSelector:
    """What the selector matches; an empty one matches everything. Raises ValueError with Kubernetes' words."""
    found = [Requirement(key, "in", frozenset({value})) for key, value in sorted(selector.match_labels.items())]
    found += [_requirement(expression, _OPERATORS) for expression in selector.match_expressions]
    for requirement in found:
        _check(requirement)
    return selectors.LabelSelector(tuple(found))


def compile_node_requirements(expressions: Iterable[Expression]) -> selectors.LabelSelector:
    """The same for node selector requirements, which also know ``Gt`` and ``Lt``. Raises ValueError."""
    found = tuple(_requirement(expression, _NODE_OPERATORS) for expression in expressions)
    for requirement in found:
        _check(requirement)
    return selectors.LabelSelector(found)


def selector_text(selector: LabelSelector) -> str:
    """The canonical form, as ``status.labelSelector`` has it: ``app=web,tier in (a,b),!old``, sorted by key."""
    terms = [(key, f"{key}={value}") for key, value in selector.match_labels.items()]
    terms += [(expression.key, _expression_text(expression)) for expression in selector.match_expressions]
    return ",".join(text for _, text in sorted(terms))


def _expression_text(expression: Expression) -> str:
    operator = _OPERATORS.get(expression.operator, "")
    if operator == "exists":
        return expression.key
    if operator == "absent":
        return f"!{expression.key}"
    return f"{expression.key} {operator} ({','.join(sorted(expression.values))})"


def _requirement(expression: Expression, operators: dict[str, str]) -> Requirement:
    operator = operators.get(expression.operator)
    if operator is None:
        raise ValueError(f'"{expression.operator[:_SHOWN]}" is not a valid label selector operator')
    return Requirement(expression.key, operator, frozenset(expression.values))


def _check(requirement: Requirement) -> None:
    if problem := key_problem(requirement.key):
        raise ValueError(f'key: Invalid value: "{requirement.key[:_SHOWN]}": {problem}')
    values = requirement.values
    match requirement.operator:
        case "in" | "notin" if not values:
            raise ValueError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
        case "exists" | "absent" if values:
            raise ValueError("values: Invalid value: values set must be empty for exists and does not exist")
        case "gt" | "lt" if len(values) != 1 or not next(iter(values)).lstrip("-").isdecimal():
            raise ValueError("values: Invalid value: for 'Gt', 'Lt' operators, exactly one integer is required")
    for value in sorted(values):
        if problem := label_value_problem(value):
            raise ValueError(f'values[0][{requirement.key}]: Invalid value: "{value[:_SHOWN]}": {problem}')
