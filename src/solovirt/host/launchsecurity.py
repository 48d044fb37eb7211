"""What the owner of a SEV guest sent, as files that only the machine's user can read: QEMU takes no other form."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host.images import files
from solovirt.host.kept import Places, give, make
from solovirt.host.model.bindings import LaunchSecurityBinding


def plan(spec: VirtualMachineInstanceSpec, places: Places) -> LaunchSecurityBinding | None:
    """Where the files would be; None without any."""
    wanted = _wanted(spec)
    if not wanted:
        return None
    found = {name: str(places.instance / file) for name, file, _ in wanted}
    return LaunchSecurityBinding(dh_cert=found.get("dh_cert", ""), session=found.get("session", ""))


def prepare(spec: VirtualMachineInstanceSpec, places: Places) -> LaunchSecurityBinding | None:
    """Writes the files. Raises ``HostError``. Blocks."""
    wanted = _wanted(spec)
    if wanted:
        make(places.instance, places.run_as)
    for _, file, text in wanted:
        with files.telling(places.instance, file):
            files.write_atomic(places.instance / file, text.encode(), durable=False)
    if wanted:
        give(places.instance, places.run_as)
    return plan(spec, places)


def _wanted(spec: VirtualMachineInstanceSpec) -> list[tuple[str, str, str]]:
    """(key, file name, content) of each."""
    security = spec.domain.launch_security
    sev = security.sev if security is not None else None
    if sev is None:
        return []
    given = (("dh_cert", "dh-cert.b64", sev.dh_cert), ("session", "session.b64", sev.session))
    return [(key, file, text) for key, file, text in given if text]
