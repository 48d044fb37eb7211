"""What a VMI says of itself in a downwardAPI volume: which fields, and their values as the kubelet writes them. Pure.

KubeVirt shows its pod's fields; here is no pod, so they are the VMI's. Source: kubernetes pkg/fieldpath,
pkg/api/v1/resource.
"""

from __future__ import annotations

import re
from fractions import Fraction

from solovirt.api.kubevirt.spec.sources import DownwardAPIFile
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.kit import quantity

FIELDS = ("metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations")
RESOURCES = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']{1,317})'\]")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def known_field(path: str) -> bool:
    return path in FIELDS or _SUBSCRIPT.fullmatch(path) is not None


def content(vmi: VirtualMachineInstance, file: DownwardAPIFile) -> bytes:
    """Of one file. Raises ``ValueError`` for a field or resource that there is not."""
    if file.field_ref is not None:
        return _field(vmi.metadata, file.field_ref.field_path).encode()
    if file.resource_field_ref is not None:
        wanted = file.resource_field_ref
        return _resource(vmi, wanted.resource, wanted.divisor).encode()
    raise ValueError("one of fieldRef and resourceFieldRef is required")


def _field(meta: ObjectMeta, path: str) -> str:
    match = _SUBSCRIPT.fullmatch(path)
    if match is not None:
        return (meta.labels if match[1] == "labels" else meta.annotations).get(match[2], "")
    match path:
        case "metadata.name":
            return meta.name
        case "metadata.namespace":
            return meta.namespace
        case "metadata.uid":
            return meta.uid
        case "metadata.labels":
            return _lines(meta.labels)
        case "metadata.annotations":
            return _lines(meta.annotations)
    raise ValueError(f"{path} is no field of a VirtualMachineInstance's metadata")


def _lines(values: dict[str, str]) -> str:
    """``key="value"``, quoted as Go's ``%q``, by key."""
    return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted(values.items()))


def _quoted(text: str) -> str:
    return "".join(_ESCAPES.get(char) or (char if char.isprintable() else f"\\u{ord(char):04x}") for char in text)


def _resource(vmi: VirtualMachineInstance, name: str, divisor: str | int | float | None) -> str:
    """Rounded up to whole divisors. A limit that is not set is what the guest has."""
    if name not in RESOURCES:
        raise ValueError(f"{name} is not one of " + ", ".join(RESOURCES))
    group, _, kind = name.partition(".")
    resources = vmi.spec.domain.resources
    given = (resources.limits if group == "limits" else resources.requests).get(kind)
    if given is None and group == "limits":
        given = _guests(vmi, kind)
    unit = quantity.parse(divisor) if divisor is not None else Fraction(0)
    amount = quantity.parse(given) if given is not None else Fraction(0)
    return str(-(-amount // (unit or 1)))


def _guests(vmi: VirtualMachineInstance, kind: str) -> str | int | float | None:
    domain = vmi.spec.domain
    if kind == "memory":
        return domain.memory.guest if domain.memory is not None else None
    cpu = domain.cpu
    return (cpu.sockets or 1) * (cpu.cores or 1) * (cpu.threads or 1) if cpu is not None else 1
