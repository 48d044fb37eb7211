"""Namespace (core/v1)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import KubeObject, Model


class NamespaceSpec(Model):
    finalizers: list[str] = msgspec.field(default_factory=list)


class NamespaceStatus(Model):
    phase: str = ""


class Namespace(KubeObject):
    spec: NamespaceSpec = msgspec.field(default_factory=NamespaceSpec)
    status: NamespaceStatus = msgspec.field(default_factory=NamespaceStatus)
