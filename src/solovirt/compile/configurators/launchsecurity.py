"""Encrypted guests (``domain.launchSecurity``): AMD's SEV, SEV-ES and SEV-SNP, Intel's TDX.

Only a host whose CPU and KVM have it can start one; the others say why not. Sources: kubevirt
converter/compute/launch_security.go, QEMU docs/system/i386/{amd-memory-encryption,tdx}.rst.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.spec.compute import SEV
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.facts import SEV as Encryption
from solovirt.kit.errors import HostError

PATH = "domain.launchSecurity"
OBJECT = "lsec0"
SEV_NO_DEBUG = 1 << 0
SEV_ENCRYPTED_STATE = 1 << 2
SNP_POLICY = 1 << 16 | 1 << 17
"""Simultaneous multithreading is allowed; bit 17 is always set (AMD SEV-SNP ABI, guest policy)."""
_VIRTIO = ("virtio-", "vhost-")


def machine(ctx: Context) -> Iterator[Prop]:
    """The keys of -machine."""
    security = ctx.spec.domain.launch_security
    if security is None:
        return
    why = manifest(PATH, "the guest's memory is encrypted with a key that the host does not have")
    yield Prop("confidential-guest-support", OBJECT, why)
    if security.tdx is not None:
        yield Prop("kernel-irqchip", "split", needs("trust domains have their IO-APIC in QEMU", f"{PATH}.tdx"))


def options(ctx: Context) -> Iterator[Option]:
    """The object that says how. Raises ``HostError`` when this host cannot."""
    security = ctx.spec.domain.launch_security
    if security is None:
        return
    if security.sev is not None:
        kind, props = "sev-guest", _sev(ctx, security.sev)
        path = f"{PATH}.sev"
    elif security.snp is not None:
        kind, path = "sev-snp-guest", f"{PATH}.snp"
        policy = default("threads of one core may belong to different guests", path)
        props = [Prop("policy", SNP_POLICY, policy), *_bits(_encryption(ctx, path))]
    else:
        kind, props, path = "tdx-guest", [], f"{PATH}.tdx"
        if ctx.facts.accel != "kvm" or not ctx.facts.tdx:
            hint = "an Intel CPU with TDX, firmware that turns it on, and kvm_intel.tdx=1"
            raise HostError("this host cannot run TDX guests", reason="LaunchSecurityMissing", field=path, hint=hint)
    if kind not in ctx.facts.qemu.objects:
        since = {"sev-snp-guest": "9.1", "tdx-guest": "10.1"}.get(kind, "7.2")
        version = ".".join(map(str, ctx.facts.qemu.version))
        text = f"{ctx.facts.qemu.binary} ({version}) has no {kind}"
        hint = f"QEMU {since} or newer has it"
        raise HostError(text, reason="LaunchSecurityMissing", field=path, hint=hint)
    why = manifest(path, "how the guest's memory is encrypted")
    named = Prop("id", OBJECT, needs("-machine refers to it"))
    yield Option("-object", JsonValue((Prop("qom-type", kind, why), named, *props)), why)


def shielded(ctx: Context, option: Option) -> Option:
    """The option as encrypted memory needs it: virtio devices go through bounce buffers then."""
    if ctx.spec.domain.launch_security is None or option.flag != "-device" or not isinstance(option.value, JsonValue):
        return option
    driver = option.value.get("driver")
    if driver is None or not str(driver.value).startswith(_VIRTIO):
        return option
    bounce = Prop("iommu_platform", True, needs("devices reach only what the guest shares with them", PATH))
    return Option(option.flag, JsonValue((*option.value.props, bounce)), option.why)


def _sev(ctx: Context, sev: SEV) -> list[Prop]:
    path = f"{PATH}.sev"
    encryption = _encryption(ctx, path)
    policy = default("the host may not debug the guest", f"{path}.policy")
    bits = SEV_NO_DEBUG
    if sev.policy is not None and sev.policy.encrypted_state:
        state = f"{path}.policy.encryptedState"
        if not encryption.encrypted_state:
            hint = "kvm_amd.sev_es=1 on a CPU that has SEV-ES"
            raise HostError("this host has no SEV-ES", reason="LaunchSecurityMissing", field=state, hint=hint)
        bits |= SEV_ENCRYPTED_STATE
        policy = manifest(state, "registers are encrypted too, and the host may not debug the guest")
    props = [Prop("policy", bits, policy), *_bits(encryption)]
    files = ctx.bindings.launch_security
    for key, text, field, file in (
        ("dh-cert-file", sev.dh_cert, "dhCert", files.dh_cert if files else ""),
        ("session-file", sev.session, "session", files.session if files else ""),
    ):
        if text:
            if not file:
                raise HostError(f"no file holds {field}", reason="InvalidBindings", field=f"{path}.{field}")
            props.append(Prop(key, file, manifest(f"{path}.{field}", "what the guest's owner sent, in a file")))
    return props


def _bits(encryption: Encryption) -> tuple[Prop, ...]:
    told = host("as the host's CPU has it")
    return Prop("cbitpos", encryption.cbitpos, told), Prop("reduced-phys-bits", encryption.reduced_phys_bits, told)


def _encryption(ctx: Context, path: str) -> Encryption:
    """Raises ``HostError``."""
    hint = "an AMD EPYC CPU, firmware that turns it on, and kvm_amd.sev=1"
    kind = "SEV-SNP" if path.endswith("snp") else "SEV"
    found = ctx.facts.sev
    if ctx.facts.accel != "kvm":
        text = f"{kind} needs KVM, which does not work here"
        raise HostError(text, reason="LaunchSecurityMissing", field=path, hint=hint)
    if found is None or (kind == "SEV-SNP" and not found.snp):
        text = f"this host cannot run {kind} guests"
        raise HostError(text, reason="LaunchSecurityMissing", field=path, hint=hint)
    return found
