"""vsock numbers (CIDs) of this host's guests: unique on the host, the same for one VMI at every look.

Source: linux/vm_sockets.h; QEMU hw/virtio/vhost-vsock.c.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from solovirt.kit.errors import HostError

FIRST_CID = 3
"""0 to 2 are the hypervisor, the local host and the host."""
_COUNT = 2**31 - FIRST_CID
DEVICE = Path("/dev/vhost-vsock")


def allocate(owner: str, taken: Collection[int]) -> int:
    """A number for ``owner``, not among ``taken``. Spread out, as other programs give out the first ones."""
    start = int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8])
    for step in range(len(taken) + 1):
        cid = FIRST_CID + (start + step) % _COUNT
        if cid not in taken:
            return cid
    raise AssertionError("more numbers were tried than are taken")


def require(device: Path = DEVICE, *, field: str = "") -> None:
    """Raises ``HostError`` reason "VsockMissing" where the kernel has no vsock for guests."""
    if not device.exists():
        text = f"{device} is missing: this kernel gives guests no vsock"
        raise HostError(text, reason="VsockMissing", field=field, hint="modprobe vhost_vsock")
