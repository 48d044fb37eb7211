"""What compute needs of this host at the moment of a start: the time, files of huge pages, a guest owner's session.

``planned`` says it without touching anything, ``prepare`` makes it.
"""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.quantities import as_bytes
from solovirt.host import hugetlbfs, launchsecurity, memlock, rtc
from solovirt.host.kept import Places
from solovirt.host.model.bindings import Bindings, LaunchSecurityBinding

MEMFD = "kubevirt.io/memfd"


class Moment(msgspec.Struct, frozen=True):
    """Fields of ``Bindings``, by the same names. The time is added last: preparing may take minutes."""

    hugetlbfs: str = ""
    launch_security: LaunchSecurityBinding | None = None

    def bound(self, bindings: Bindings, spec: VirtualMachineInstanceSpec) -> Bindings:
        """``bindings`` with all of it. Raises ``HostError`` for a time zone that there is not."""
        return msgspec.structs.replace(
            bindings,
            rtc_base=rtc.base(spec.domain.clock),
            hugetlbfs=self.hugetlbfs,
            launch_security=self.launch_security,
        )


def planned(spec: VirtualMachineInstanceSpec, annotations: dict[str, str], places: Places) -> Moment:
    return Moment(hugetlbfs.directory(_file_pages(spec, annotations)), launchsecurity.plan(spec, places))


def prepare(
    spec: VirtualMachineInstanceSpec, annotations: dict[str, str], places: Places, *, prefix: str = "spec"
) -> Moment:
    """Raises ``HostError``. Blocks."""
    memlock.check(spec, prefix=prefix)
    directory = hugetlbfs.make(hugetlbfs.directory(_file_pages(spec, annotations)))
    return Moment(directory, launchsecurity.prepare(spec, places))


def _file_pages(spec: VirtualMachineInstanceSpec, annotations: dict[str, str]) -> int:
    """The size of the huge pages that shall not be a memfd; -1 for none."""
    memory = spec.domain.memory
    if memory is None or memory.hugepages is None or annotations.get(MEMFD) != "false":
        return -1
    return as_bytes(memory.hugepages.page_size) or -1
