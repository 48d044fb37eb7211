"""Rules for encrypted guests. Source: kubevirt pkg/virt-api/webhooks/amd64.go."""

from __future__ import annotations

import base64
import binascii

from solovirt.api.causes import FORBIDDEN, INVALID, Causes
from solovirt.api.kubevirt.spec.compute import SEV, LaunchSecurity
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec

BLOB_MAX = 64 * 1024
"""Characters of a session or certificate: they are a few KiB."""


def check_launch_security(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    security = spec.domain.launch_security
    if security is None:
        return
    place = f"{field}.domain.launchSecurity"
    kinds = {"SEV": security.sev, "SNP": security.snp, "TDX": security.tdx}
    chosen = [name for name, given in kinds.items() if given is not None]
    if len(chosen) != 1:
        causes.add(FORBIDDEN, place, "One and only one launchSecurity type can be set")
        return
    kind = chosen[0]
    _check_firmware(causes, spec.domain, security, kind, place)
    features = spec.domain.features
    if security.tdx is not None and features is not None and features.smm and features.smm.enabled is not False:
        causes.add(INVALID, place, "TDX does not work along with SMM")
    if security.sev is not None:
        _check_sev(causes, security.sev, spec.start_strategy, place)
    for nic in spec.domain.devices.interfaces:
        if nic.boot_order is not None:
            causes.add(INVALID, place, f"{kind} does not work with bootable NICs: {nic.name}")


def _check_firmware(causes: Causes, domain: Domain, security: LaunchSecurity, kind: str, place: str) -> None:
    loader = domain.firmware.bootloader if domain.firmware is not None else None
    if loader is None or loader.efi is None:
        causes.add(INVALID, place, f"{kind} requires OVMF (UEFI)")
        return
    if security.tdx is None and loader.efi.secure_boot is not False:
        causes.add(INVALID, place, f"{kind} does not work along with SecureBoot")
    if security.sev is None and loader.efi.persistent:
        causes.add(INVALID, place, f"{kind} does not work along with Persistent EFI variables")


def _check_sev(causes: Causes, sev: SEV, start_strategy: str, place: str) -> None:
    if sev.attestation is not None and start_strategy != "Paused":
        causes.add(INVALID, place, "SEV attestation requires VMI StartStrategy 'Paused'")
    for name, text in (("session", sev.session), ("dhCert", sev.dh_cert)):
        if text and not _is_base64(text):
            causes.invalid(f"{place}.sev.{name}", text[:16], f"must be base64, at most {BLOB_MAX} characters")


def _is_base64(text: str) -> bool:
    try:
        return len(text) <= BLOB_MAX and bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
