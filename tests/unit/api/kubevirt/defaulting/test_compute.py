import msgspec
import pytest

from solovirt.api.kubevirt.defaulting import compute
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec


def spec(domain: dict[str, object], **more: object) -> VirtualMachineInstanceSpec:
    return msgspec.convert({"domain": domain, **more}, VirtualMachineInstanceSpec)


def most(domain: dict[str, object], **more: object) -> object:
    made = spec(domain, **more)
    compute.default_max_guest(made)
    assert made.domain.memory is not None
    return made.domain.memory.max_guest


def test_memory_may_grow_fourfold() -> None:
    assert most({"memory": {"guest": "1Gi"}}) == "4Gi"
    assert most({"memory": {"guest": "1536Mi"}}) == "6Gi"
    assert most({"memory": {"guest": "128Mi"}}) == "512Mi", "KubeVirt's floor is 1Gi"
    assert most({"memory": {"guest": "2Gi", "maxGuest": "3Gi"}}) == "3Gi"
    assert most({"memory": {"guest": "2Gi", "hugepages": {"pageSize": "1Gi"}}}) == "8Gi"


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        ({"memory": {"guest": "126Mi"}}, "at least 128Mi"),
        ({"memory": {"guest": "1025M"}}, "Guest memory must be 2Mi aligned"),
        ({"memory": {"guest": "1536Mi", "hugepages": {"pageSize": "1Gi"}}}, "Guest memory must be 1Gi aligned"),
        ({"memory": {"guest": "2Gi"}, "cpu": {"realtime": {}}}, "not compatible with realtime VMs"),
        ({"memory": {"guest": "2Gi"}, "cpu": {"numa": {"guestMappingPassthrough": {}}}}, "guest mapping passthrough"),
        ({"memory": {"guest": "2Gi"}, "launchSecurity": {"sev": {}}}, "encrypted VMs"),
    ],
)
def test_some_memory_stays_what_it_is(domain: dict[str, object], why: str) -> None:
    assert most(domain) is None
    made = spec(domain)
    assert made.domain.memory is not None and made.domain.memory.guest is not None
    guest = int(compute.as_bytes(made.domain.memory.guest) or 0)
    assert why in compute.growth_problem(made, guest, 4 * guest)


def test_what_cannot_be_read_or_written_down_gets_no_limit() -> None:
    assert most({"memory": {"guest": "x"}}) is None
    assert most({"memory": {}}) is None
    assert most({"memory": {"guest": "4Ei"}}) is None
    assert most({"memory": {"guest": "2Gi"}}, architecture="arm64") is None


def test_memory_from_the_size_of_a_page() -> None:
    made = spec({"memory": {"hugepages": {"pageSize": "1Gi"}}})
    compute.default_memory(made.domain)
    assert made.domain.memory is not None and made.domain.memory.guest == "1Gi"


def test_blocks() -> None:
    assert compute.block_size(spec({}).domain) == 2 * 1024**2
    assert compute.block_size(spec({"memory": {"hugepages": {"pageSize": "1Gi"}}}).domain) == 1024**3
