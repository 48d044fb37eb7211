"""Bindings: what the names in a spec resolved to on this host. Made by ``solovirt.host``, read by ``solovirt.compile``.

All paths are absolute. A binding says where something is (or, for ``explain`` without a daemon, would be); it never
causes I/O itself.
"""

from __future__ import annotations

import msgspec


class BlockSizes(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Bytes, as the host's device or file system has them."""

    logical: int
    physical: int
    discard: int


class DiskImage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One file or block device with its explicit format ("raw" or "qcow2"), and what lies under it."""

    path: str
    format: str
    read_only: bool = False
    block_device: bool = False
    direct_io: bool = False
    """O_DIRECT works on it: cache none is possible."""
    backing: DiskImage | None = None
    size: int | None = None
    """Virtual size in bytes, where known."""
    preallocated: bool = False
    """The host has given it all of its space."""
    thick: bool = False
    """It is to keep all of its space, even what the guest trims."""
    blocks: BlockSizes | None = None
    """Where a disk is to have the same ones."""


class VolumeBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``source`` is the JSON name of the volume source ("containerDisk"); ``note`` goes into explain's reasons."""

    name: str
    source: str
    image: DiskImage
    note: str = ""


class TaggedDevice(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A device with a role tag, as the guest finds it in its ConfigDrive (KubeVirt pkg/cloud-init ``DeviceData``).

    ``type`` is "nic", "disk" or "hostdev"; ``address`` is that of its bus ("0000:01:00.0" on PCI).
    """

    type: str
    bus: str
    address: str
    mac: str = ""
    serial: str = ""
    tags: tuple[str, ...] = ()


class NetworkBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a network reaches the host. ``kind`` is one of
    - "user": QEMU's user network with KubeVirt's addresses. ``network`` is the guest's IPv4 network (CIDR), ``host``
      the gateway, ``dns`` the resolver, ``dhcp_start`` the address that the guest gets; ``network6`` (CIDR), ``host6``
      and ``dns6`` the same for IPv6, "" for none. ``forwards`` are (protocol, host address, host port, guest port).
    - "tap": the host's ``interface``, made beforehand, or its descriptor ``fd``.
    - "passt": passt, which listens on ``socket`` for vhost-user.
    - "vfio": a function of a network card itself; which one is the interface's ``HostDeviceBinding``.

    ``mtu`` is told to virtio guests (0: not known). ``lacks`` is one sentence about what is missing here, so that it
    can be explained but not started, and ``hint`` what to do about it.
    """

    name: str
    kind: str
    network: str = "10.0.2.0/24"
    host: str = "10.0.2.1"
    dns: str = "10.0.2.3"
    dhcp_start: str = "10.0.2.2"
    hostname: str = ""
    domain: str = ""
    """The guest's domain by DHCP; ``search`` are domains that names are looked up in."""
    search: tuple[str, ...] = ()
    forwards: tuple[tuple[str, str, int, int], ...] = ()
    network6: str = ""
    host6: str = ""
    dns6: str = ""
    interface: str = ""
    fd: int | None = None
    socket: str = ""
    mtu: int = 0
    lacks: str = ""
    hint: str = ""


class KernelBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    kernel: str
    initrd: str = ""


class FirmwareBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """UEFI firmware: ``code`` is read-only; ``variables`` (NVRAM) is this VM's own file, None for a ROM (``rom``).

    ``secure`` says that the variables may be written in SMM only. ``note`` goes into explain's reasons.
    """

    code: DiskImage
    variables: DiskImage | None = None
    secure: bool = False
    rom: bool = False
    note: str = ""


class ACPITablesBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Files with whole ACPI tables; "" for none."""

    slic: str = ""
    msdm: str = ""


class FilesystemBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A directory shared by virtiofsd, which listens on ``socket``. ``name`` is the tag that the guest mounts."""

    name: str
    directory: str
    socket: str
    read_only: bool = False
    note: str = ""


class HostDeviceBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a gpus[], hostDevices[] or SR-IOV interface got. ``kind`` is "pci" (``address`` "0000:01:00.0"), "mdev"
    (``address`` is its sysfs path) or "usb" (``address`` is "bus-device", in decimal).

    ``lacks`` is one sentence about what is missing here (``address`` may be "" then), and ``hint`` what to do about it.
    """

    name: str
    kind: str
    address: str
    note: str = ""
    lacks: str = ""
    hint: str = ""


class NumaCell(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One guest NUMA cell: its vCPUs, its memory in bytes, and the host's node that both come from."""

    vcpus: tuple[int, ...]
    memory: int
    host_node: int


class CPUPlacement(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Dedicated CPUs: the host CPU of each vCPU, by index; those of QEMU's other threads; guest NUMA cells."""

    vcpus: tuple[int, ...] = ()
    emulator: tuple[int, ...] = ()
    cells: tuple[NumaCell, ...] = ()


class LaunchSecurityBinding(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Files that hold what the owner of a SEV guest sent, base64 as in the manifest; "" for none."""

    dh_cert: str = ""
    session: str = ""


class Sockets(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Unix sockets that QEMU listens on, and the log that the serial console is copied to.

    ``tpm`` is swtpm's; ``usbredir`` are the four of clientPassthrough; ``reservations`` is qemu-pr-helper's;
    ``downward_metrics`` is the metrics channel.
    """

    qmp: str
    agent: str
    serial: str
    vnc: str
    serial_log: str
    tpm: str = ""
    usbredir: tuple[str, ...] = ()
    reservations: str = ""
    downward_metrics: str = ""


class Pins(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Guest-visible choices that stay for the life of a VM: made at first start, given back at every later one.

    ``pci`` maps a device id ("ua-rootdisk") to its slot: a root port ("pci.7"), a slot of pcie.0 ("pcie.0/6"), a SATA
    port ("ide.0"), a SCSI unit ("scsi0.0/2") and so on; ``macs`` maps an interface name to its address.
    """

    machine: str = ""
    uuid: str = ""
    serial: str = ""
    pci: dict[str, str] = {}
    macs: dict[str, str] = {}


class Bindings(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Everything of one VMI that is not in its spec and not a fact of the host.

    ``pins`` must hold ``uuid`` and a MAC for every interface already (randomness is the caller's); ``machine`` and
    ``pci`` may be empty at first start and come back filled in the compiled Machine.
    """

    namespace: str
    name: str
    sockets: Sockets
    pins: Pins
    volumes: dict[str, VolumeBinding] = {}
    networks: dict[str, NetworkBinding] = {}
    kernel: KernelBinding | None = None
    firmware: FirmwareBinding | None = None
    acpi_tables: ACPITablesBinding | None = None
    filesystems: dict[str, FilesystemBinding] = {}
    host_devices: dict[str, HostDeviceBinding] = {}
    cpus: CPUPlacement | None = None
    vsock_cid: int = 0
    """The guest's address on vsock, 3 or more; 0 for none."""
    annotations: dict[str, str] = {}
    """The VMI's annotations; some of KubeVirt's change the machine."""
    rtc_base: str = ""
    """What the guest's clock shows at the start, "2026-01-31T13:00:00": for clocks that are not plain UTC."""
    hugetlbfs: str = ""
    """A directory on a hugetlbfs of the guest's page size, for memory that may not be a memfd."""
    launch_security: LaunchSecurityBinding | None = None
