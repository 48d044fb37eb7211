"""What a guest's hardware clock shows at the start, for clocks that are not plain UTC.

QEMU counts on from what it is told, so the offset is worked out once, when the machine starts. Knows no QEMU option.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from solovirt.api.kubevirt.spec.clock import Clock
from solovirt.kit.errors import HostError

PATH = "domain.clock.timezone"


def base(clock: Clock | None, now: datetime | None = None) -> str:
    """``YYYY-MM-DDThh:mm:ss`` of ``now`` (aware; the present without it) as the guest is to see it; "" for plain UTC.

    ``utc`` wins over ``timezone``, as in KubeVirt. Raises ``HostError`` for a zone that this host does not know, or a
    time that no calendar has.
    """
    if clock is None or (clock.utc is None and not clock.timezone):
        return ""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    if clock.utc is None:
        return _written(moment.astimezone(_zone(clock.timezone)))
    if not clock.utc.offset_seconds:
        return ""
    try:
        return _written(moment + timedelta(seconds=clock.utc.offset_seconds))
    except OverflowError:
        raise HostError(
            f"no calendar has the time {clock.utc.offset_seconds} seconds from now",
            reason="InvalidTime",
            field="domain.clock.utc.offsetSeconds",
        ) from None


def _zone(name: str) -> tzinfo:
    # Few machines have a time zone, and it imports much.
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise HostError(
            f'this host knows no time zone "{name}"',
            reason="TimezoneMissing",
            field=PATH,
            hint="a name such as Europe/Berlin; the package tzdata has them",
        ) from None


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
