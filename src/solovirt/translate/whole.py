"""What shows in several flags together: I/O threads, NUMA, real time, growth of memory, kinds of virtio devices.

Looked at when everything else has been read.
"""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.translate.draft import Draft, quantity
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag, size

ENCRYPTION = {"sev-guest": "sev", "sev-snp-guest": "snp", "tdx-guest": "tdx"}
_SEV_ES = 4
"""Bit of a SEV policy: registers are encrypted too."""
_GROWS_FROM = 128 << 20
"""From here on a guest may grow unless the manifest says otherwise."""
_GROWS_BY = "solovirt.io/memory-hotplug"
_BLOCK = 2 << 20
_AUTOMATIC = 2
"""Threads of ioThreadsPolicy auto without CPU requests."""


def read(draft: Draft, parts: Parts) -> None:
    passed = _cells(draft, parts)
    _locked(draft, parts, passed)
    _growth(draft, parts, passed)
    _threads(draft, parts)
    _controllers(draft, parts)
    _balloon(draft, parts)
    for flag in parts.flags:
        if flag.name == "machine" and flag.on("graphics") is False:
            _serial_firmware(draft, flag)


def numa(draft: Draft, flag: Flag) -> None:
    """One node alone is no topology; several are looked at in ``read``."""
    if flag.head != "node":
        draft.lose(flag.shown(), "distances and caches of NUMA nodes have no field")


def encryption(draft: Draft, flag: Flag) -> None:
    kind = ENCRYPTION[flag.head]
    where = f"domain.launchSecurity.{kind}"
    draft.put(where, {})
    if kind == "sev" and (flag.number("policy") or 0) & _SEV_ES:
        draft.put(f"{where}.policy.encryptedState", True)
    for key in ("dh-cert-file", "session-file"):
        if path := flag.word(key):
            field = "dhCert" if key == "dh-cert-file" else "session"
            draft.lose(f"{key}={path}", f"what is in the file belongs into launchSecurity.sev.{field}, as base64")


def _cells(draft: Draft, parts: Parts) -> bool:
    """Guest NUMA nodes on nodes of the host: ``guestMappingPassthrough``. Any other topology is lost."""
    nodes = [flag for flag in parts.flags if flag.name == "numa" and flag.head == "node"]
    backends = [parts.objects.get(flag.word("memdev")) for flag in nodes]
    bound = [flag for flag in backends if flag is not None and flag.word("policy") == "bind" and flag.on("hugetlb")]
    if nodes and len(bound) == len(nodes):
        draft.put("domain.cpu.dedicatedCpuPlacement", True)
        draft.put("domain.cpu.numa.guestMappingPassthrough", {})
        draft.note("cpu.numa.guestMappingPassthrough: nodes and their sizes follow the CPUs that the host gives")
        return True
    if any(flag.word("nodeid") not in ("", "0") for flag in nodes):
        for flag in nodes:
            draft.lose(flag.shown(), "guest NUMA nodes follow the host's: cpu.numa.guestMappingPassthrough")
    return False


def _locked(draft: Draft, parts: Parts, passed: bool) -> None:
    locked = any(flag.on("mem-lock") for flag in parts.flags if flag.name == "overcommit")
    unmerged = [flag for flag in parts.flags if flag.name == "machine" and flag.on("mem-merge") is False]
    if unmerged and locked and passed:
        draft.put("domain.cpu.realtime", {})
        return
    if locked:
        draft.put("domain.memory.reservedOverhead.memLock", "Required")
    for _ in unmerged:
        draft.lose("-machine mem-merge=off", "only machines with cpu.realtime are left out of merging")


def _growth(draft: Draft, parts: Parts, passed: bool) -> None:
    """How much, and by what. A machine whose memory could not grow stays so."""
    given = next((flag for flag in parts.flags if flag.name == "m"), None)
    device = next((flag for flag in parts.flags if flag.name == "device" and flag.head == "virtio-mem-pci"), None)
    guest = size(given.word("size", given.head), 1 << 20) if given is not None else None
    if given is not None and guest and "maxmem" in given.props:
        backend = parts.objects.get(device.word("memdev")) if device is not None else None
        extra = size(backend.word("size")) if backend is not None else None
        if device is None and "slots" in given.props:
            draft.annotations[_GROWS_BY] = "pc-dimm"
        elif extra and "slots" in given.props:
            draft.put("domain.memory.maxGuest", quantity(guest + extra))
        elif extra:
            draft.annotations[_GROWS_BY] = "virtio-mem"
    domain = draft.spec["domain"]
    memory = domain.get("memory") if isinstance(domain, dict) else None
    if not isinstance(memory, dict) or "maxGuest" in memory or passed:
        return
    if isinstance(domain, dict) and "launchSecurity" in domain:
        return
    if guest and guest >= _GROWS_FROM and guest % _BLOCK == 0:
        memory["maxGuest"] = quantity(guest)


def _threads(draft: Draft, parts: Parts) -> None:
    """The policy and the dedicated disks that would give out threads as they were given."""
    every = [flag.word("id") for flag in parts.flags if flag.name == "object" and flag.head == "iothread"]
    if not every:
        return
    if any(flag.props.get("iothread-vq-mapping") for _, flag in parts.disks):
        draft.put("domain.ioThreadsPolicy", "supplementalPool")
        draft.put("domain.ioThreads.supplementalPoolThreadCount", len(every))
        return
    used = [every.index(name) if (name := flag.word("iothread")) in every else -1 for _, flag in parts.disks]
    virtio = [index for index, (_, flag) in enumerate(parts.disks) if flag.head.startswith("virtio-blk")]
    for policy in ("", "shared", "auto"):
        for own in range(len(every), -1, -1) if not policy else range(len(every) + 1):
            dedicated = {index for index in virtio if used[index] >= len(every) - own}
            if _given(policy, dedicated, virtio, len(used)) == (len(every), used):
                _put_threads(draft, parts, policy, dedicated)
                return
    for disk, flag in parts.disks:
        if flag.word("iothread"):
            draft.lose(flag.shown(), f"no ioThreadsPolicy gives disk {disk['name']} this thread")
    for name in every:
        draft.lose(f"-object iothread,id={name}", "ioThreadsPolicy says how many threads there are")


def _given(policy: str, dedicated: set[int], virtio: Sequence[int], count: int) -> tuple[int, list[int]]:
    """How many threads there would be, and the thread of each disk (-1: none), as ``compile.iothreads`` has it."""
    if not policy and not dedicated:
        return 0, [-1] * count
    limit = _AUTOMATIC if policy == "auto" else 1
    shared = count - len(dedicated)
    if count > limit:
        shared = max(limit - len(dedicated), 1)
    found = [-1] * count
    own = others = 0
    for index in virtio:
        if index in dedicated:
            found[index] = shared + own
            own += 1
        else:
            found[index] = others % max(shared, 1)
            others += 1
    return shared + len(dedicated), found


def _put_threads(draft: Draft, parts: Parts, policy: str, dedicated: set[int]) -> None:
    if policy:
        draft.put("domain.ioThreadsPolicy", policy)
    for index in dedicated:
        parts.disks[index][0]["dedicatedIOThread"] = True


def _controllers(draft: Draft, parts: Parts) -> None:
    drivers = [flag.head for flag in parts.flags if flag.name == "device"]
    if any(driver.endswith("-transitional") and not driver.endswith("-non-transitional") for driver in drivers):
        draft.put("domain.devices.useVirtioTransitional", True)
    if parts.has("nodefaults") and not any(driver.startswith("virtio-scsi-pci") for driver in drivers):
        draft.note("a SCSI controller, scsi0, is added for disks that come later; devices.disableHotplug leaves it out")


def _balloon(draft: Draft, parts: Parts) -> None:
    """Without reporting of free pages, which dedicated CPUs and huge pages bring with them."""
    domain = draft.spec["domain"]
    if isinstance(domain, dict) and "hugepages" in str(domain.get("memory")):
        return
    if isinstance(domain, dict) and "dedicatedCpuPlacement" in str(domain.get("cpu")):
        return
    for flag in parts.flags:
        if flag.head.startswith("virtio-balloon") and flag.on("free-page-reporting") is False:
            text = "the annotation kubevirt.io/free-page-reporting-disabled does that"
            draft.lose(f"free-page-reporting=off of {flag.word('id') or 'the balloon'}", text)


def _serial_firmware(draft: Draft, flag: Flag) -> None:
    """BIOS on the serial port, where there are both."""
    domain = draft.spec["domain"]
    devices = domain.get("devices") if isinstance(domain, dict) else None
    no_port = isinstance(devices, dict) and devices.get("autoattachSerialConsole") is False
    if no_port or "efi" in str(domain):
        draft.lose("-machine graphics=off", "only BIOS firmware with a serial port can be told to use it")
    else:
        draft.put("domain.firmware.bootloader.bios.useSerial", True)
