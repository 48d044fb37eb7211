"""Random manifests out of the whole tree of a VMI's spec: CPU, memory, firmware, features, clock, devices, volumes.

Most of them are valid; ``valid`` keeps those that validation takes.
"""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from solovirt.api.decode import decode
from solovirt.api.kubevirt.validation.virtualmachineinstance import validate_vmi
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.anyvm.devices import devices, networks
from tests.support.anyvm.draws import fields, flag
from tests.support.anyvm.storage import storage

_state = st.sampled_from([{}, {"enabled": True}, {"enabled": False}])
_text = st.text(st.sampled_from(list("abz019,='\"\\ é;$`")), max_size=12)
_HYPERV = ["relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "reenlightenment", "ipi", "evmcs"]
CPU_FEATURES = ["aes", "avx", "avx2", "sse4.1", "vmx", "x2apic", "rdrand"]
_POLICIES = ["force", "require", "optional", "disable"]
"""Not forbid: whether a host's CPU lacks a feature is no question of the manifest."""
MODELS = ["host-model", "host-passthrough", "Haswell-noTSX", "EPYC", "qemu64", "Nehalem"]

_cpu = fields(
    {},
    optional={
        "sockets": st.integers(1, 4),
        "cores": st.integers(1, 4),
        "threads": st.integers(1, 2),
        "maxSockets": st.integers(4, 8),
        "model": st.sampled_from(MODELS),
        "features": st.lists(
            fields({"name": st.sampled_from(CPU_FEATURES)}, optional={"policy": st.sampled_from(_POLICIES)}),
            max_size=3,
            unique_by=lambda feature: str(feature["name"]),
        ),
    },
)
_dedicated = fields(
    {"dedicatedCpuPlacement": st.just(True), "cores": st.integers(1, 2), "sockets": st.just(1), "threads": st.just(1)},
    optional={"isolateEmulatorThread": flag, "model": st.sampled_from(MODELS[:2])},
)
_hyperv = fields(
    {},
    optional={
        **dict.fromkeys(_HYPERV, _state),
        "spinlocks": st.sampled_from([{}, {"spinlocks": 8191}, {"enabled": False}]),
        "vendorid": st.sampled_from([{"vendorid": "KVM, Hv=1"}, {"enabled": False}]),
        "synictimer": st.sampled_from([{}, {"direct": {}}, {"enabled": True, "direct": {"enabled": False}}]),
        "tlbflush": st.sampled_from([{}, {"direct": {}, "extended": {}}, {"enabled": False}]),
    },
)
_features = fields(
    {},
    optional={
        "acpi": _state,
        "apic": fields({}, optional={"enabled": flag, "endOfInterrupt": flag}),
        "smm": _state,
        "kvm": fields({}, optional={"hidden": flag}),
        "pvspinlock": _state,
        "hyperv": _hyperv,
    },
)
_clock = fields(
    {},
    optional={
        "utc": fields({}, optional={"offsetSeconds": st.integers(-100_000, 100_000)}),
        "timer": fields(
            {},
            optional={
                "hpet": fields({}, optional={"present": flag, "tickPolicy": st.just("delay")}),
                "pit": fields(
                    {}, optional={"present": flag, "tickPolicy": st.sampled_from(["delay", "catchup", "discard"])}
                ),
                "rtc": fields(
                    {},
                    optional={
                        "present": flag,
                        "tickPolicy": st.sampled_from(["delay", "catchup"]),
                        "track": st.sampled_from(["guest", "wall"]),
                    },
                ),
                "kvm": fields({}, optional={"present": flag}),
                "hyperv": fields({}, optional={"present": flag}),
            },
        ),
    },
)
_kernel = fields(
    {"container": st.just({"image": "boot", "kernelPath": "/boot/vmlinuz", "initrdPath": "/boot/initrd"})},
    optional={"kernelArgs": _text},
)
_firmware = fields(
    {"uuid": st.just("a2d16c7b-f14c-4ed9-9d74-4daf163510e2")},
    optional={
        "serial": st.text(st.sampled_from("abZ019_.+-"), max_size=20),
        "bootloader": st.sampled_from(
            [
                {"bios": {}},
                {"bios": {"useSerial": True}},
                {"efi": {}},
                {"efi": {"secureBoot": False}},
                {"efi": {"secureBoot": False, "persistent": True}},
            ]
        ),
        "kernelBoot": _kernel,
    },
)


@st.composite
def manifests(draw: st.DrawFn) -> JsonObject:
    """A VirtualMachineInstance. What the whole machine must agree on is brought together here."""
    volumes, disks, filesystems = draw(storage())
    nets, nics = draw(networks())
    domain: JsonObject = draw(
        fields(
            {"memory": _memory(), "cpu": st.one_of(_cpu, _cpu, _cpu, _dedicated)},
            optional={
                "machine": st.sampled_from([{"type": "q35"}, {"type": ""}]),
                "firmware": _firmware,
                "features": _features,
                "clock": _clock,
                "ioThreadsPolicy": st.sampled_from(["shared", "auto"]),
                "chassis": fields(
                    {}, optional={key: _text for key in ("manufacturer", "version", "serial", "asset", "sku")}
                ),
                "rebootPolicy": st.sampled_from(["Reboot", "Terminate"]),
            },
        )
    )
    features = domain.setdefault("features", {})
    if "efi" in str(domain.get("firmware")) and "secureBoot" not in str(domain["firmware"]):
        assert isinstance(features, dict)
        features["smm"] = {"enabled": True}
    others = draw(devices)
    if others.get("autoattachGraphicsDevice") is False:
        others.pop("video", None)
    domain["devices"] = {**others, "disks": disks, "filesystems": filesystems, "interfaces": nics}
    spec: JsonObject = {"domain": domain, "volumes": volumes, "networks": nets, **draw(_rest)}
    return {"metadata": {"name": "any", "namespace": "default"}, "spec": spec}


_rest: st.SearchStrategy[JsonObject] = fields(
    {},
    optional={
        "hostname": st.just("guest"),
        "subdomain": st.just("lab"),
        "startStrategy": st.just("Paused"),
        "terminationGracePeriodSeconds": st.integers(0, 3600),
        "nodeSelector": st.just({"kubernetes.io/arch": "amd64"}),
        "readinessProbe": st.just({"tcpSocket": {"port": 22}}),
    },
)


@st.composite
def _memory(draw: st.DrawFn) -> JsonObject:
    page = draw(st.sampled_from([None, None, None, "2Mi", "1Gi"]))
    if page is not None:
        return {"guest": "1Gi" if page == "1Gi" else "64Mi", "hugepages": {"pageSize": page}}
    guest = draw(st.sampled_from(["64Mi", "100M", "128Mi", "300Mi", "1Gi", "1025Mi"]))
    memory: JsonObject = {"guest": guest}
    if guest == "1Gi" and draw(flag):
        memory["maxGuest"] = draw(st.sampled_from(["1Gi", "2Gi"]))
    if draw(st.integers(0, 9)) == 0:
        memory["reservedOverhead"] = {"addedOverhead": "16Mi", "memLock": "NotRequired"}
    return memory


def decoded(manifest: Json) -> VirtualMachineInstance:
    return decode(VIRTUAL_MACHINE_INSTANCES, manifest).object


@st.composite
def valid(draw: st.DrawFn) -> JsonObject:
    """A manifest that validation takes, before defaulting."""
    manifest = draw(manifests())
    assume(not validate_vmi(decoded(manifest), None))
    return manifest
