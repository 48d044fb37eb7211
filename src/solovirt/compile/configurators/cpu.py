"""-cpu: the model, its features, and what KVM and Hyper-V interfaces the guest sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from solovirt.api.kubevirt.spec.compute import CPUFeature
from solovirt.compile.configurators import paravirt
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import default, host, manifest
from solovirt.kit.errors import HostError
from solovirt.kit.names import nearest

PATH = "domain.cpu.model"
HOST_MODELS = ("host-model", "host-passthrough")
_FEATURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_POLICIES = ("force", "require", "optional", "disable", "forbid")


def options(ctx: Context) -> Iterator[Option]:
    asked = ctx.spec.domain.cpu.features if ctx.spec.domain.cpu else []
    parts = [partial(_feature, ctx, index, asked) for index in range(len(asked))]
    features = gather([*parts, partial(_check_model, ctx)])
    virtual = gather([partial(paravirt.properties, ctx)])
    model, why, extra = _model(ctx)
    named = {feature.key for feature in features}
    props = [prop for prop in extra if prop.key not in named] + features
    props += [prop for prop in virtual if prop.key not in named]
    yield Option("-cpu", KeyValues(model, why, tuple(props)), why)


def _model(ctx: Context) -> tuple[str, Reason, list[Prop]]:
    cpu = ctx.spec.domain.cpu
    asked = cpu.model if cpu and cpu.model else HOST_MODELS[0]
    tcg = ctx.facts.accel == "tcg"
    if asked in HOST_MODELS and tcg:
        return "max", host(f"{asked} without KVM: everything that emulation can do", PATH), []
    nearest_model = ctx.facts.host_model
    if asked == HOST_MODELS[0] and nearest_model is not None:
        difference = host("where the host's CPU differs from its model", PATH)
        extra = [Prop(name, on, difference) for name, on in nearest_model.features.items()]
        return nearest_model.name, manifest(PATH, "the named model that is nearest to the host's CPU"), extra
    if asked in HOST_MODELS:
        text = "the host's CPU" + ("; QEMU's own host model stands for host-model" if asked == HOST_MODELS[0] else "")
        migratable = default("only features that another host of this kind can take over", PATH)
        return "host", manifest(PATH, text), [Prop("migratable", True, migratable)]
    known = {model.name: model for model in ctx.facts.qemu.cpu_models}
    if asked not in known:
        near = nearest(asked, [*known, *HOST_MODELS])
        hint = f'did you mean "{near}"?' if near else "qemu-system-x86_64 -cpu help lists the names"
        raise invalid(PATH, f'this QEMU has no CPU model "{asked}"', reason="FieldValueNotSupported", hint=hint)
    if asked == "host" and tcg:
        raise invalid(PATH, 'CPU model "host" needs KVM, which does not work here', hint="use host-model")
    missing = ", ".join(known[asked].missing)
    if missing and not tcg:
        text = f'this host\'s CPU cannot be a "{asked}": it lacks {missing}'
        raise HostError(text, reason="CPUModelMissing", field=PATH, hint="use host-model")
    note = f"; emulation leaves out {missing}" if missing else ""
    no_mpx = default("KubeVirt turns mpx off for named models: newer CPUs have lost it", PATH)
    return asked, manifest(PATH, f"CPU model {asked}{note}"), [Prop("mpx", False, no_mpx)]


def _check_model(ctx: Context) -> list[Prop]:
    """A wrong model does not hide wrong features."""
    _model(ctx)
    return []


def _feature(ctx: Context, index: int, features: list[CPUFeature]) -> list[Prop]:
    """Policies are libvirt's: force and require turn on, disable and forbid turn off, optional follows the host."""
    feature, path = features[index], f"domain.cpu.features[{index}]"
    policy = feature.policy or "require"
    if not _FEATURE.fullmatch(feature.name):
        raise invalid(f"{path}.name", f'"{feature.name}" is not the name of a CPU feature')
    if policy not in _POLICIES:
        raise invalid(f"{path}.policy", f'policy "{policy}" is unknown', hint="one of " + ", ".join(_POLICIES))
    if feature.name in [earlier.name for earlier in features[:index]]:
        raise invalid(f"{path}.name", f'feature "{feature.name}" is given twice', reason="FieldValueDuplicate")
    offered = ctx.facts.qemu.cpu_features
    if offered and feature.name not in offered:
        near = nearest(feature.name, offered)
        hint = f'did you mean "{near}"?' if near else ""
        text = f'this QEMU has no CPU feature "{feature.name}"'
        raise invalid(f"{path}.name", text, reason="FieldValueNotSupported", hint=hint)
    available = offered.get(feature.name) if offered else None
    _respect(ctx, path, feature.name, policy, available)
    on = policy in ("force", "require") or (policy == "optional" and available is not False)
    return [Prop(feature.name, on, manifest(path, _text(ctx, policy, available)))]


def _respect(ctx: Context, path: str, name: str, policy: str, available: bool | None) -> None:
    """``require`` and ``forbid`` are conditions on the host's CPU; under emulation there is none to ask."""
    if ctx.facts.accel == "tcg" or available is None:
        return
    if policy == "require" and not available:
        text = f'this host\'s CPU lacks feature "{name}"'
        raise HostError(text, reason="CPUFeatureMissing", field=path, hint="policy optional does without it")
    if policy == "forbid" and available:
        text = f'this host\'s CPU has the forbidden feature "{name}"'
        raise HostError(text, reason="CPUFeatureForbidden", field=path, hint="policy disable only hides it")


def _text(ctx: Context, policy: str, available: bool | None) -> str:
    known = {True: "; offered here", False: "; not offered here", None: ""}[available]
    unmet = policy in ("force", "require") and available is False and ctx.facts.accel == "tcg"
    return f"policy {policy}{known}" + (", so emulation goes on without it" if unmet else "")
