"""Strings that reach QEMU, a file system or another program: what they may be made of."""

from __future__ import annotations

import posixpath
import re

from solovirt.api.causes import INVALID, Causes
from solovirt.kit.names import subdomain_problem

MAX_LENGTH = 256
MAX_KERNEL_ARGS = 4096
_EXPRESSION = re.compile(r"[A-Za-z0-9_.+-]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_PCI_ADDRESS = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]")
_LABEL_MAX = 32


def is_expression(text: str) -> bool:
    """KubeVirt's alphabet of serials, CPU models and the like."""
    return _EXPRESSION.fullmatch(text) is not None


def is_pci_address(text: str) -> bool:
    """``dddd:bb:ss.f``"""
    return _PCI_ADDRESS.fullmatch(text) is not None


def check_serial(causes: Causes, serial: str, field: str) -> None:
    """KubeVirt's rule of disk and firmware serials."""
    if len(serial) > MAX_LENGTH:
        text = f"{field} must be less than or equal to {MAX_LENGTH} in length, if specified"
        causes.add(INVALID, field, text)
    if serial and not is_expression(serial):
        text = f"{field} must be made up of the following characters [A-Za-z0-9_.+-], if specified"
        causes.add(INVALID, field, text)


def check_expression(causes: Causes, value: str, field: str) -> None:
    if not is_expression(value) or len(value) > MAX_LENGTH:
        causes.invalid(field, value, f"must be made of at most {MAX_LENGTH} of the characters [A-Za-z0-9_.+-]")


def check_uuid(causes: Causes, value: str, field: str) -> None:
    if value and not _UUID.fullmatch(value):
        causes.invalid(field, value, "must be a UUID like 5d307ca9-b3ef-428c-8861-06e72d69f223")


def check_printable(causes: Causes, value: str, field: str, most: int) -> None:
    """No control characters, no line breaks, bounded."""
    if not value.isprintable():
        causes.invalid(field, value, "must not contain control characters or line breaks")
    elif len(value) > most:
        causes.invalid(field, value, f"must be no more than {most} characters")


def check_file_path(causes: Causes, path: str, field: str) -> None:
    """A file inside an image: absolute, without relative components, in KubeVirt's words."""
    if path == "/":
        causes.add(INVALID, field, f"{field} must not point to root")
    elif not is_clean_path(path):
        causes.add(INVALID, field, f"{field} must be an absolute path to a file without relative components")


def is_clean_path(path: str) -> bool:
    """Absolute, normal (no ``..``, ``.``, ``//``, closing slash), printable."""
    return path.startswith("/") and posixpath.normpath("/" + path.lstrip("/")) == path and path.isprintable()


def check_image(causes: Causes, image: str, field: str) -> None:
    """An image reference goes to other programs: it may not look like an option or hold blanks."""
    if not image:
        causes.required(field)
    elif not _IMAGE.fullmatch(image) or len(image) > MAX_LENGTH * 2:
        causes.invalid(field, image, "must be an image reference like quay.io/containerdisks/fedora:41")


def check_pull(causes: Causes, policy: str, secret: str, field: str) -> None:
    """A Secret that cannot exist is one that does not: the image is pulled without, as in a cluster."""
    if policy not in ("", "Always", "IfNotPresent", "Never"):
        causes.not_supported(f"{field}.imagePullPolicy", policy, ("Always", "IfNotPresent", "Never"))
    check_printable(causes, secret, f"{field}.imagePullSecret", MAX_LENGTH)


def check_reference(causes: Causes, name: str, field: str) -> None:
    """The name of another object of the namespace."""
    if not name:
        causes.required(field)
    elif problem := subdomain_problem(name):
        causes.invalid(field, name, problem)


def check_volume_label(causes: Causes, label: str, field: str) -> None:
    """ISO 9660 volume identifiers have 32 characters."""
    if label and (len(label) > _LABEL_MAX or not label.isascii() or not label.isprintable()):
        causes.invalid(field, label, f"must be no more than {_LABEL_MAX} printable ASCII characters")
