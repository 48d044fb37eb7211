"""``spec.instancetype`` and ``spec.preference`` of a VirtualMachine, what its status remembers of them, their rules.

Source: kubevirt api core/v1 types.go, pkg/instancetype/webhooks/vm/mutator.go.
"""

from __future__ import annotations

from solovirt.api.causes import INVALID, NOT_SUPPORTED, Causes
from solovirt.api.meta import Model

NOT_FOUND = "FieldValueNotFound"
REJECT, IGNORE = "Reject", "Ignore"


class Matcher(Model):
    """One of ``name`` and ``inferFromVolume``. ``kind`` is a cluster kind if it is left out."""

    name: str = ""
    kind: str = ""
    revision_name: str = ""
    infer_from_volume: str = ""
    infer_from_volume_failure_policy: str = ""


class RevisionRef(Model):
    name: str = ""


class MatcherRef(Model):
    """status.instancetypeRef and status.preferenceRef."""

    name: str = ""
    kind: str = ""
    controller_revision_ref: RevisionRef | None = None
    infer_from_volume: str = ""
    infer_from_volume_failure_policy: str = ""

    @property
    def revision(self) -> str:
        return self.controller_revision_ref.name if self.controller_revision_ref is not None else ""


def check_matcher(causes: Causes, new: Matcher | None, old: Matcher | None, field: str, title: str) -> None:
    """``field`` is spec.instancetype or spec.preference, ``title`` Instancetype or Preference."""
    if new is None:
        return
    if old is not None and old.revision_name == new.revision_name != "" and old.name != new.name:
        text = "the Matcher Name has been updated without updating the RevisionName"
        causes.add(INVALID, f"{field}.revisionName", text)
    if not new.name and not new.infer_from_volume:
        text = f"Either Name or InferFromVolume should be provided within the {title}Matcher"
        causes.add(NOT_FOUND, field, text)
    if new.infer_from_volume:
        for name, value in (("name", new.name), ("kind", new.kind)):
            if value:
                text = f"{name.capitalize()} already set, should be cleared before setting inferFromVolume"
                causes.add(NOT_SUPPORTED, f"{field}.{name}", text)
    policy = new.infer_from_volume_failure_policy
    if policy not in ("", REJECT, IGNORE):
        text = f"Invalid value '{policy}' for InferFromVolumeFailurePolicy"
        causes.add(INVALID, f"{field}.inferFromVolumeFailurePolicy", text)
