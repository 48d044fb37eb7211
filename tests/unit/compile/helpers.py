"""Contexts for configurators out of a few lines of YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import yaml

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.compile import render
from solovirt.compile.configurators import memory
from solovirt.compile.context import Configurator, Context
from solovirt.compile.layout import allocate
from solovirt.compile.options import JsonValue, Option
from solovirt.compile.plan import ENDPOINTS
from solovirt.host.model.bindings import (
    Bindings,
    DiskImage,
    HostDeviceBinding,
    KernelBinding,
    NetworkBinding,
    Pins,
    VolumeBinding,
)
from solovirt.host.model.facts import HostFacts
from solovirt.kit.json import JsonObject
from tests.golden.cases import Host, Overrides, default_bindings, host_facts

UUID = "a2d16c7b-f14c-4ed9-9d74-4daf163510e2"


def spec_of(text: str) -> VirtualMachineInstanceSpec:
    """A spec as written, with 128Mi of memory if it has no domain.memory."""
    plain = yaml.safe_load(text) or {}
    plain.setdefault("domain", {}).setdefault("memory", {"guest": "128Mi"})
    return msgspec.convert(plain, VirtualMachineInstanceSpec)


def bindings_of(
    spec: VirtualMachineInstanceSpec,
    *,
    volumes: Mapping[str, DiskImage] | None = None,
    networks: Mapping[str, NetworkBinding] | None = None,
    kernel: KernelBinding | None = None,
    pins: Pins | None = None,
) -> Bindings:
    macs = {nic.name: f"02:00:00:00:00:{index:02x}" for index, nic in enumerate(spec.domain.devices.interfaces, 1)}
    sources = {volume.name: volume.sources()[0] for volume in spec.volumes}
    bound = {name: VolumeBinding(name, sources[name], image) for name, image in (volumes or {}).items()}
    overrides = Overrides(bound, dict(networks or {}), kernel, pins or Pins(uuid=UUID, macs=macs))
    return default_bindings("test", spec, overrides)


def context(
    text: str = "",
    *,
    facts: HostFacts | None = None,
    accel: str = "tcg",
    volumes: Mapping[str, DiskImage] | None = None,
    networks: Mapping[str, NetworkBinding] | None = None,
    kernel: KernelBinding | None = None,
    pins: Pins | None = None,
    host_devices: Mapping[str, HostDeviceBinding] | None = None,
) -> Context:
    """A context with its layout."""
    spec = spec_of(text)
    bindings = bindings_of(spec, volumes=volumes, networks=networks, kernel=kernel, pins=pins)
    bindings = msgspec.structs.replace(bindings, host_devices=dict(host_devices or {}))
    bare = Context(spec, facts or host_facts(Host(accel=accel)), bindings)
    endpoints = [endpoint for source in ENDPOINTS for endpoint in source(bare)]
    layout = allocate(endpoints, bindings.pins.pci, memory.guest_bytes(bare)[0])
    return Context(bare.spec, bare.facts, bare.bindings, layout)


def lines(options: Iterable[Option]) -> list[str]:
    """``flag value`` of each option."""
    return [" ".join([option.flag, *render.value(option)]) for option in options]


def run(configurator: Configurator, text: str = "", **given: object) -> list[str]:
    return lines(configurator(context(text, **given)))  # type: ignore[arg-type]


def objects(options: Iterable[Option], flag: str = "-device") -> list[JsonObject]:
    """The JSON values of one flag."""
    return [
        render.arguments(option.value)
        for option in options
        if option.flag == flag and isinstance(option.value, JsonValue)
    ]
