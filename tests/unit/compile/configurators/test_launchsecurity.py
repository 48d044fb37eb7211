"""Encrypted guests: on hosts that can, and why not on the others."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import launchsecurity, machine
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default
from solovirt.host.model.bindings import LaunchSecurityBinding
from solovirt.host.model.facts import SEV
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context, lines, objects

CAPABLE = SEV(cbitpos=51, reduced_phys_bits=1, encrypted_state=True, snp=True)


def guest(
    security: str, *, sev: SEV | None = CAPABLE, accel: str = "kvm", tdx: bool = True, **bound: object
) -> Context:
    ctx = context(f"domain: {{launchSecurity: {{{security}}}}}", accel=accel)
    more = {"sev-snp-guest", "tdx-guest"} if sev or tdx else set()
    qemu = msgspec.structs.replace(ctx.facts.qemu, objects=ctx.facts.qemu.objects | more)
    facts = msgspec.structs.replace(ctx.facts, sev=sev, tdx=tdx, qemu=qemu)
    return Context(ctx.spec, facts, msgspec.structs.replace(ctx.bindings, **bound), ctx.layout)


def made(ctx: Context) -> dict[str, object]:
    (one,) = objects(launchsecurity.options(ctx), "-object")
    return dict(one)


def test_plain_guests() -> None:
    assert list(launchsecurity.options(context())) == []
    assert list(launchsecurity.machine(context())) == []


def test_sev() -> None:
    same = {"qom-type": "sev-guest", "id": "lsec0", "cbitpos": 51, "reduced-phys-bits": 1}
    assert made(guest("sev: {}")) == {**same, "policy": 1}
    assert made(guest("sev: {policy: {encryptedState: true}}")) == {**same, "policy": 5}
    assert "confidential-guest-support=lsec0" in lines(machine.options(guest("sev: {}")))[0]


def test_what_the_owner_sent_is_in_files() -> None:
    files = LaunchSecurityBinding(dh_cert="/run/c", session="/run/s")
    found = made(guest("sev: {session: QQ==, dhCert: QQ==}", launch_security=files))
    assert (found["dh-cert-file"], found["session-file"]) == ("/run/c", "/run/s")
    with pytest.raises(HostError, match="no file holds dhCert"):
        made(guest("sev: {dhCert: QQ==}"))


def test_snp_and_tdx() -> None:
    assert made(guest("snp: {}")) == {
        "qom-type": "sev-snp-guest",
        "id": "lsec0",
        "policy": 0x30000,
        "cbitpos": 51,
        "reduced-phys-bits": 1,
    }
    assert made(guest("tdx: {}")) == {"qom-type": "tdx-guest", "id": "lsec0"}
    assert "kernel-irqchip=split" in lines(machine.options(guest("tdx: {}")))[0]


@pytest.mark.parametrize(
    ("security", "given", "said"),
    [
        ("sev: {}", {"accel": "tcg"}, "SEV needs KVM"),
        ("sev: {}", {"sev": None}, "this host cannot run SEV guests"),
        ("sev: {policy: {encryptedState: true}}", {"sev": SEV(cbitpos=47)}, "this host has no SEV-ES"),
        ("snp: {}", {"sev": SEV(cbitpos=47)}, "this host cannot run SEV-SNP guests"),
        ("tdx: {}", {"tdx": False}, "this host cannot run TDX guests"),
        ("tdx: {}", {"accel": "tcg"}, "this host cannot run TDX guests"),
    ],
)
def test_hosts_that_cannot(security: str, given: dict[str, object], said: str) -> None:
    with pytest.raises(HostError, match=said) as caught:
        made(guest(security, **given))  # type: ignore[arg-type]
    assert caught.value.field.startswith("domain.launchSecurity") and caught.value.hint


def test_a_qemu_that_is_too_old() -> None:
    ctx = guest("snp: {}")
    facts = msgspec.structs.replace(ctx.facts, qemu=context().facts.qemu)
    with pytest.raises(HostError, match="has no sev-snp-guest") as caught:
        made(Context(ctx.spec, facts, ctx.bindings, ctx.layout))
    assert caught.value.hint == "QEMU 9.1 or newer has it"


@pytest.mark.parametrize(
    ("driver", "shielded"),
    [("virtio-blk-pci", True), ("vhost-vsock-pci", True), ("ide-hd", False), ("pcie-root-port", False)],
)
def test_virtio_goes_through_bounce_buffers(driver: str, shielded: bool) -> None:
    option = Option("-device", JsonValue((Prop("driver", driver, default("x")),)), default("x"))
    assert ("iommu_platform" in lines([launchsecurity.shielded(guest("sev: {}"), option)])[0]) is shielded
    assert launchsecurity.shielded(context(), option) is option
