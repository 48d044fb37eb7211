"""Objects with one value replaced by nonsense: refused with a message, never a crash; what passes is stable."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.decode import decode
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from solovirt.kit.errors import BadRequest, Invalid
from solovirt.kit.json import Json, JsonObject, encode, to_json
from solovirt.kit.json import decode as decode_json

from .samples import SPEC, changed

FULL: JsonObject = changed(
    SPEC,
    {
        "architecture": "amd64",
        "hostname": "web",
        "terminationGracePeriodSeconds": 5,
        "domain.cpu": {"cores": 1, "sockets": 1, "maxSockets": 4, "model": "host-model", "features": [{"name": "vmx"}]},
        "domain.firmware": {"serial": "x", "kernelBoot": {"kernelArgs": "a"}},
        "domain.resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
        "domain.machine": {"type": "q35"},
        "domain.devices.disks[0].serial": "x",
        "domain.devices.disks[0].bootOrder": 1,
        "domain.devices.interfaces[0].macAddress": "02:00:00:00:00:01",
        "domain.devices.interfaces[0].ports": [{"port": 80, "name": "http"}],
        "domain.devices.inputs": [{"name": "t", "type": "tablet"}],
        "networks[0].pod": {"vmNetworkCIDR": "10.0.2.0/24"},
    },
)


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


PLACES = [place for place in places(FULL) if place]
NONSENSE: st.SearchStrategy[Json] = st.sampled_from(
    [
        *(None, True, 0, -1, 1, 2**31, 2**63, 2**64, 10**5000, -1.5, 1e308, "", "0", "-1", "1E", "1e30", "9" * 60),
        *("x,y=z", "a\nb", "a\0b", "../..", "/", "-x", "ä", "\u202e", "x" * 5000, "02:00:00:00:00:00", "10.0.2.0/99"),
        *([], {}, [None], [[]], {"": ""}, {"a": None}, [{}]),
    ]
)


def replaced(place: tuple[str | int, ...], value: Json) -> JsonObject:
    spec = copy.deepcopy(FULL)
    node: Json = spec
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value
    return spec


@given(st.sampled_from(PLACES), NONSENSE)
@settings(max_examples=400, deadline=None)
def test_one_nonsense_value(place: tuple[str | int, ...], value: Json) -> None:
    spec = replaced(place, value)
    for kind, whole in (
        (VIRTUAL_MACHINES, {"runStrategy": "Always", "template": {"spec": spec}}),
        (VIRTUAL_MACHINE_INSTANCES, spec),
    ):
        try:
            obj = decode(kind, {"metadata": {"name": "x"}, "spec": whole}).object
        except (BadRequest, Invalid) as error:
            assert error.message
            continue
        kind.default(obj)
        causes = kind.validate(obj, None)
        assert all(
            cause.field and cause.message.isprintable() and len(cause.message) < 2000 and cause.field.isprintable()
            for cause in causes
        )
        if not causes:
            assert decode(kind, decode_json(encode(obj))).object == obj
            assert to_json(obj) == to_json(copy.deepcopy(obj))
