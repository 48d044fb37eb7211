"""solovirt: KubeVirt VirtualMachine manifests on one Linux host, by driving QEMU/KVM directly."""

__version__ = "0.1.0"
