"""Manifests as the end-to-end tests use them: small, and explicit about what a test is about."""

from __future__ import annotations

from solovirt.kit.jsontypes import Json, JsonObject

TINY = "solovirt/tiny"
KERNEL_ARGUMENTS = "console=ttyS0 quiet nokaslr mitigations=off no_timer_check tsc=reliable"


def vm(
    name: str,
    *,
    strategy: str = "Always",
    memory: str = "256Mi",
    disks: list[Json] | None = None,
    volumes: list[Json] | None = None,
    devices: JsonObject | None = None,
    domain: JsonObject | None = None,
    template: JsonObject | None = None,
    spec: JsonObject | None = None,
) -> JsonObject:
    """A VirtualMachine without disks and network unless they are given."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {
            "runStrategy": strategy,
            "template": {
                "spec": {
                    "domain": {
                        "memory": {"guest": memory},
                        "devices": {
                            "autoattachGraphicsDevice": False,
                            "autoattachPodInterface": False,
                            "disks": disks or [],
                            **(devices or {}),
                        },
                        **(domain or {}),
                    },
                    "terminationGracePeriodSeconds": 20,
                    "volumes": volumes or [],
                    **(template or {}),
                }
            },
            **(spec or {}),
        },
    }


def small(name: str, *, strategy: str = "Always") -> JsonObject:
    """A machine of 32 MiB that is paused before its first instruction: a process to look after, at no cost."""
    return vm(
        name,
        strategy=strategy,
        memory="32Mi",
        template={"startStrategy": "Paused", "terminationGracePeriodSeconds": 0},
        devices={"autoattachMemBalloon": False},
    )


def disk(name: str, bus: str = "virtio", **more: Json) -> JsonObject:
    return {"name": name, "disk": {"bus": bus}, **more}


def tiny_disk(name: str = "root") -> JsonObject:
    return {"name": name, "containerDisk": {"image": TINY}}


def tiny_kernel(arguments: str = KERNEL_ARGUMENTS) -> JsonObject:
    """domain.firmware that boots the tiny guest without any disk."""
    container: JsonObject = {"image": TINY, "kernelPath": "/boot/vmlinuz", "initrdPath": "/boot/initrd"}
    return {"kernelBoot": {"kernelArgs": arguments, "container": container}}


def claim(name: str, size: str = "64Mi") -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def data_volume(name: str, source: JsonObject, size: str = "64Mi") -> JsonObject:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": {"source": source, "storage": {"resources": {"requests": {"storage": size}}}},
    }


def config_map(name: str, data: dict[str, str]) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {**data}}


def secret(name: str, data: dict[str, str]) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {**data}}
