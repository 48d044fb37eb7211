from __future__ import annotations

import pytest

from solovirt.cli import nics
from solovirt.kit.errors import BadRequest, NotFound
from solovirt.kit.jsontypes import JsonObject

POD: JsonObject = {"name": "default", "pod": {}}
LAN: JsonObject = {"name": "lan", "multus": {"networkName": "lan"}}
PLAIN: JsonObject = {"domain": {"devices": {}}}
NONE: JsonObject = {"domain": {"devices": {"autoattachPodInterface": False}}}
BOTH: JsonObject = {
    "domain": {"devices": {"interfaces": [{"name": "default", "masquerade": {}}, {"name": "lan", "bridge": {}}]}},
    "networks": [POD, LAN],
}


def test_the_one_that_nobody_wrote() -> None:
    assert nics.interfaces(PLAIN) == [{"name": "default", "bridge": {}}]
    assert nics.networks(PLAIN) == [POD]
    assert nics.interfaces(NONE) == nics.networks(NONE) == []


def test_one_is_added_beside_it() -> None:
    patch = nics.added(PLAIN, {"name": "lan", "bridge": {}}, LAN)
    interfaces = [{"name": "default", "bridge": {}}, {"name": "lan", "bridge": {}}]
    assert patch == {"domain": {"devices": {"interfaces": interfaces}}, "networks": [POD, LAN]}


@pytest.mark.parametrize(
    ("name", "network", "words"),
    [("lan", LAN, "lan already"), ("more", {**POD, "name": "more"}, "default is on the pod")],
)
def test_what_cannot_be_added(name: str, network: JsonObject, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        nics.added(BOTH, {"name": name}, network)


def test_states() -> None:
    patch = nics.with_state(BOTH, "lan", "absent")
    states = [{"name": "default", "masquerade": {}}, {"name": "lan", "bridge": {}, "state": "absent"}]
    assert patch == {"domain": {"devices": {"interfaces": states}}, "networks": [POD, LAN]}
    with pytest.raises(NotFound, match="there are: default, lan"):
        nics.with_state(BOTH, "wan", "up")


def test_the_last_one_is_not_followed_by_another() -> None:
    assert nics.without(BOTH, "lan")["networks"] == [POD]
    assert nics.without(PLAIN, "default") == {
        "domain": {"devices": {"interfaces": [], "autoattachPodInterface": False}},
        "networks": [],
    }
    with pytest.raises(NotFound):
        nics.without(NONE, "default")
