"""Manifests in the shapes in which people write them: each is taken, and has its token on the command line, or is
refused with KubeVirt's reason. The manifests are our own; what they show was met in public ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.cli.commands.explain import explain_manifest, is_machine
from solovirt.cli.manifests import read
from solovirt.cli.typeobjects import TypeObjects
from solovirt.compile import explain
from solovirt.host import facts
from solovirt.kit.errors import SolovirtError

FACTS = facts.load("qemu-7.2")
ROOT = "{name: root, containerDisk: {image: quay.io/containerdisks/fedora:41}}"
SEED = '{name: seed, cloudInitNoCloud: {userData: "#cloud-config"}}'
DISKS = "disks: [{name: root, disk: {bus: virtio}}]"
POD = "networks: [{name: default, pod: {}}]"


def vm(
    devices: str = DISKS,
    *,
    domain: str = "memory: {guest: 1Gi}",
    volumes: str = ROOT,
    spec: str = "",
    metadata: str = "{}",
    head: str = "runStrategy: Always",
    api: str = "kubevirt.io/v1",
) -> str:
    lines = (
        f"apiVersion: {api}",
        "kind: VirtualMachine",
        "metadata: {name: shape}",
        "spec:",
        f"  {head}",
        "  template:",
        f"    metadata: {metadata}",
        "    spec:",
        f"      domain: {{{domain}, devices: {{{devices}}}}}",
        f"      volumes: [{volumes}]",
        f"      {spec}",
    )
    return "\n".join(lines) + "\n"


def vmi(devices: str = DISKS, *, domain: str = "memory: {guest: 1Gi}", volumes: str = ROOT, spec: str = "") -> str:
    lines = (
        "apiVersion: kubevirt.io/v1",
        "kind: VirtualMachineInstance",
        "metadata: {name: shape}",
        "spec:",
        f"  domain: {{{domain}, devices: {{{devices}}}}}",
        f"  volumes: [{volumes}]",
        f"  {spec}",
    )
    return "\n".join(lines) + "\n"


def nic(interface: str, network: str = "pod: {}") -> str:
    return vm(f"{DISKS}, interfaces: [{{name: nic, {interface}}}]", spec=f"networks: [{{name: nic, {network}}}]")


def disk(target: str, source: str) -> str:
    return vm(f"disks: [{{name: d, {target}}}]", volumes=f"{{name: d, {source}}}")


CLAIM = "persistentVolumeClaim: {claimName: c}"
OWN_TYPE = """\
apiVersion: instancetype.kubevirt.io/VERSION
kind: VirtualMachineInstancetype
metadata: {name: own}
spec: {cpu: {guest: 3}, memory: {guest: 3Gi}}
---
"""
BESIDE = """\
apiVersion: v1
kind: Service
metadata: {name: ssh}
spec: {ports: [{port: 22}]}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: bridge}
---
apiVersion: example.com/v1
kind: VirtualMachine
metadata: {name: of-another-program}
---
"""
SIZED = vm(
    "disks: [{name: root, disk: {}}]",
    domain="resources: {}",
    head="instancetype: {name: own, kind: KIND}\n  running: true",
)

TAKEN = {
    "old version": (vm(api="kubevirt.io/v1alpha3", head="running: false"), "guest=default_shape"),
    "memory by its request": (vm(domain="resources: {requests: {memory: 64M}}"), "size=63488k"),
    "memory in decimal units": (vm(domain="memory: {guest: 1024M}"), "size=1000448k"),
    "memory by its limit": (vm(domain="resources: {limits: {memory: 2Gi, cpu: 2}}"), "size=2097152k"),
    "cpus by their request": (vm(domain="resources: {requests: {memory: 1Gi, cpu: 1500m}}"), "cpus=2,"),
    "machine type left empty": (vm(domain='machine: {type: ""}, memory: {guest: 1Gi}'), "pc-q35-7.2"),
    "machine type of red hat": (vm(domain="machine: {type: pc-q35-rhel9.4.0}, memory: {guest: 1Gi}"), "pc-q35-7.2"),
    "no disks listed": (vm("rng: {}"), '"driver":"ide-hd"'),
    "volume without a disk": (vm(DISKS, volumes=f"{ROOT}, {SEED}"), '"id":"ua-seed"'),
    "disk without a bus": (vm("disks: [{name: root, disk: {}}]"), '"driver":"ide-hd"'),
    "disk without a target": (vm("disks: [{name: root}]"), '"driver":"ide-hd"'),
    "lun without a bus": (disk("lun: {}", CLAIM), '"driver":"scsi-hd"'),
    "lun on sata": (disk("lun: {bus: sata}", CLAIM), '"driver":"scsi-hd"'),
    "lun of a device": (disk("lun: {}", "hostDisk: {path: /dev/sdz, type: Disk}"), '"driver":"scsi-block"'),
    "shareable claim": (disk("disk: {bus: scsi}, shareable: true", CLAIM), '"share-rw":true'),
    "empty cdrom": (vm("disks: [{name: root, disk: {}}, {name: cd, cdrom: {bus: sata}}]"), '"ide-cd"'),
    "installation cdrom": (disk("bootOrder: 1, cdrom: {bus: sata}", CLAIM), '"bootindex":1'),
    "data volume": (disk("disk: {bus: virtio}", "dataVolume: {name: d}"), "/volumes/default/d/disk"),
    "ephemeral claim": (disk("disk: {bus: virtio}", f"ephemeral: {{{CLAIM}}}"), "/volumes/default/c/disk"),
    "host disk": (disk("disk: {bus: virtio}", "hostDisk: {path: /v/a.img, type: Disk}"), '"/v/a.img"'),
    "metrics disk": (disk("disk: {bus: virtio}", "downwardMetrics: {}"), '"virtio-blk-pci-non-transitional"'),
    "metrics port": (vm(f"{DISKS}, downwardMetrics: {{}}"), "org.github.vhostmd.1"),
    "vsock": (vm(f"{DISKS}, autoattachVSOCK: true"), '"guest-cid":3'),
    "masquerade": (nic("masquerade: {}"), '"type":"user"'),
    "bridge of multus": (nic("bridge: {}", "multus: {networkName: a/b}"), '"id":"ua-nic"'),
    "ports": (nic("masquerade: {}, ports: [{port: 22}, {name: web, protocol: TCP, port: 80}]"), '"id":"ua-nic"'),
    "e1000": (nic("model: e1000, masquerade: {}"), '"driver":"e1000"'),
    "no network": (vm(f"{DISKS}, autoattachPodInterface: false"), "guest=default_shape"),
    "efi": (
        vm(domain="memory: {guest: 1Gi}, firmware: {bootloader: {efi: {secureBoot: false}}}"),
        "OVMF_CODE",
    ),
    "windows": (
        vm(
            "disks: [{name: root, disk: {bus: sata}}], inputs: [{type: tablet, bus: usb, name: t}], tpm: {}",
            domain="memory: {guest: 4Gi}, features: {acpi: {}, apic: {}, smm: {}, hyperv: {relaxed: {}, vapic: {},"
            " spinlocks: {spinlocks: 8191}}}, clock: {utc: {}, timer: {hpet: {present: false}, hyperv: {}}},"
            " firmware: {bootloader: {efi: {}}}",
        ),
        "hv-spinlocks=0x1fff",
    ),
    "instancetype of the file": (
        OWN_TYPE.replace("VERSION", "v1beta1") + SIZED.replace("KIND", "VirtualMachineInstancetype"),
        "size=3145728k",
    ),
    "shipped instancetype": (SIZED.replace("own, kind: KIND", "u1.medium"), "size=4194304k"),
    "others beside it": (BESIDE + vm(), "guest=default_shape"),
    "keys above their labels": (vm(metadata="{app: web, labels: {a: b}}"), "guest=default_shape"),
    "node selector": (vm(spec="nodeSelector: {disktype: ssd}"), "guest=default_shape"),
    "volumes to be migrated": (vm(head="updateVolumesStrategy: Migration\n  running: true"), "guest=default_shape"),
    "pull policy for a pull secret": (
        vm(volumes="{name: root, containerDisk: {image: a/b, imagePullSecret: IfNotPresent}}"),
        '"id":"ua-root"',
    ),
    "bare instance": (vmi(), "guest=default_shape"),
    "kernel of a container": (
        vmi(
            "rng: {}",
            domain="memory: {guest: 1Gi}, firmware: {kernelBoot: {kernelArgs: console=ttyS0,"
            " container: {image: a/b:1, kernelPath: /boot/k, initrdPath: /boot/i}}}",
            volumes="",
        ),
        "console=ttyS0",
    ),
    "long cloud-init": (vm(volumes=f'{ROOT}, {{name: s, cloudInitNoCloud: {{userData: "{"#" * 3000}"}}}}'), "ua-s"),
}
REFUSED = {
    "version that is gone": (vm(api="kubevirt.io/v1alpha2"), 'no matches for kind "VirtualMachine" in version'),
    "instancetype of a version that is gone": (
        OWN_TYPE.replace("VERSION", "v1alpha1") + SIZED.replace("KIND", "VirtualMachineInstancetype"),
        'no matches for kind "VirtualMachineInstancetype" in version "instancetype.kubevirt.io/v1alpha1"',
    ),
    "instancetype of nobody": (SIZED.replace("KIND", "VirtualMachineInstancetype"), '"own" not found'),
    "no memory": (vm(domain="cpu: {cores: 1}"), "no memory requested, at least one of"),
    "no run strategy": (vm(head="dataVolumeTemplates: []"), "RunStrategy must be specified"),
    "both run strategies": (vm(head="runStrategy: Always\n  running: true"), "mutually exclusive"),
    "secure boot without smm": (
        vm(domain="memory: {guest: 1Gi}, firmware: {bootloader: {efi: {}}}"),
        "has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled.",
    ),
    "interface without a binding": (nic("model: virtio"), "must have exactly one binding method or binding plugin"),
    "slirp": (nic("slirp: {}"), "discontinued since v1.3"),
    "masquerade of multus": (nic("masquerade: {}", "multus: {networkName: b}"), "only implemented with pod network"),
    "interface of no network": (
        vm(f"{DISKS}, interfaces: [{{name: nic, bridge: {{}}}}]", spec=POD),
        "interfaces[0].name 'nic' not found.",
    ),
    "disk of no volume": (vm("disks: [{name: other, disk: {}}]"), "disks[0].name 'other' not found."),
    "ide": (vm("disks: [{name: root, disk: {bus: ide}}]"), "IDE bus is not supported"),
    "cdrom on virtio": (vm("disks: [{name: root, cdrom: {bus: virtio}}]"), "Bus type virtio is invalid for CD-ROM"),
    "misspelled field": (
        vm(domain="memory: {guest: 1Gi}, cpu: {dedicatedCPUPlacement: true}"),
        'unknown field "spec.template.spec.domain.cpu.dedicatedCPUPlacement", did you mean',
    ),
    "sidecar hook": (
        vm(metadata="{annotations: {hooks.kubevirt.io/hookSidecars: '[]'}}"),
        "sidecar feature gate is not enabled in kubevirt-config",
    ),
    "ignition": (
        vm(metadata="{annotations: {kubevirt.io/ignitiondata: '{}'}}"),
        "ExperimentalIgnitionSupport feature gate is not enabled in kubevirt-config",
    ),
    "directory of a pod": (
        vm(
            f"{DISKS}, filesystems: [{{name: p, virtiofs: {{}}}}]",
            volumes=f"{ROOT}, {{name: p, containerPath: {{path: /t}}}}",
        ),
        "ContainerPathVolumes feature gate is disabled",
    ),
    "shell inside base64": (
        vm(volumes=f"{ROOT}, {{name: s, cloudInitNoCloud: {{userDataBase64: $(cat x)}}}}"),
        "userDataBase64 is not a valid base64 value",
    ),
    "template of no volume": (
        vm(
            head="running: true\n  dataVolumeTemplates: [{metadata: {name: d}, spec: {source: {blank: {}}, storage:"
            " {resources: {requests: {storage: 1Gi}}}}}]"
        ),
        "must be referenced in the VMI template's 'volumes' list",
    ),
    "numa without its own cpus": (
        vm(domain="memory: {guest: 1Gi}, cpu: {numa: {guestMappingPassthrough: {}}}"),
        "must be set to true when NUMA topology strategy is set",
    ),
    "pc": (vm(domain="memory: {guest: 1Gi}, machine: {type: pc}"), "is not supported: 'pc' (allowed values:"),
}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOVIRT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SOLOVIRT_RUNTIME_DIR", str(tmp_path / "run"))


def command_line(text: str, tmp_path: Path) -> str:
    (tmp_path / "shape.yaml").write_text(text)
    every = read([str(tmp_path / "shape.yaml")])
    (manifest,) = filter(is_machine, every)
    return explain.argv(explain_manifest(manifest, FACTS, "", TypeObjects(every)))


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken(name: str, tmp_path: Path) -> None:
    text, token = TAKEN[name]
    assert token in command_line(text, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(SolovirtError) as caught:
        command_line(text, tmp_path)
    assert reason in str(caught.value)
