"""Which encrypted guests this host's CPU and kernel can have. Source: Linux arch/x86/kvm/{svm/sev,vmx/tdx}.c."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from solovirt.host.model.facts import SEV
from solovirt.kit.json import JsonObject, get_int

MODULES = Path("/sys/module")


async def sev(accel: str, ask: Callable[[], Awaitable[JsonObject]], *, modules: Path = MODULES) -> SEV | None:
    """``ask`` gives QEMU's ``query-sev-capabilities`` ({} when it has none); called only where the kernel has SEV."""
    if not must_ask(accel, modules=modules):
        return None
    told = await ask()
    position = get_int(told, "cbitpos", 0)
    if not position:
        return None
    return SEV(
        cbitpos=position,
        reduced_phys_bits=get_int(told, "reduced-phys-bits", 1),
        encrypted_state=switched_on("kvm_amd", "sev_es", modules=modules),
        snp=switched_on("kvm_amd", "sev_snp", modules=modules),
    )


def must_ask(accel: str, *, modules: Path = MODULES) -> bool:
    """Whether QEMU has to be asked what this host's SEV can do."""
    return accel == "kvm" and switched_on("kvm_amd", "sev", modules=modules)


def tdx(accel: str, *, modules: Path = MODULES) -> bool:
    return accel == "kvm" and switched_on("kvm_intel", "tdx", modules=modules)


def switched_on(module: str, parameter: str, *, modules: Path = MODULES) -> bool:
    """A boolean parameter of a loaded kernel module."""
    try:
        return (modules / module / "parameters" / parameter).read_text().strip() in ("Y", "1")
    except OSError:
        return False
