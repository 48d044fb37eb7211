from __future__ import annotations

import pytest

from solovirt.cli.client import Client
from solovirt.cli.endpoint import Endpoint
from solovirt.cli.kinds import KNOWN, VM, by_manifest, everything, lookup
from solovirt.kit.errors import NotFound
from tests.support.apiserver import Answer, FakeApi

GROUPS: Answer = Answer({"groups": [{"name": "pool.kubevirt.io", "preferredVersion": {"version": "v1beta1"}}]})
POOLS = Answer(
    {
        "resources": [
            {"name": "virtualmachinepools", "singularName": "virtualmachinepool", "shortNames": ["vmpool"],
             "kind": "VirtualMachinePool", "namespaced": True},
            {"name": "virtualmachinepools/status", "kind": "VirtualMachinePool", "namespaced": True},
        ]
    }
)  # fmt: skip


@pytest.fixture
def client(api: FakeApi) -> Client:
    api.on("GET", "/apis", GROUPS)
    api.on("GET", "/api/v1", Answer({"resources": []}))
    api.on("GET", "/apis/pool.kubevirt.io/v1beta1", POOLS)
    return Client(Endpoint(unix=str(api.socket)))


@pytest.mark.parametrize("word", ["vm", "VMs", "virtualmachine", "virtualmachines", "virtualmachines.kubevirt.io"])
def test_known_words_cost_no_request(api: FakeApi, client: Client, word: str) -> None:
    assert lookup(client, word) == VM
    assert not api.requests


def test_other_kinds_are_discovered(client: Client) -> None:
    kind = lookup(client, "vmpool")
    assert (kind.group, kind.version, kind.plural) == ("pool.kubevirt.io", "v1beta1", "virtualmachinepools")
    assert by_manifest(client, "pool.kubevirt.io/v1beta1", "VirtualMachinePool") == kind


def test_a_misspelled_kind_gets_the_nearest(client: Client) -> None:
    with pytest.raises(NotFound, match=r'resource type "virtualmachin".*did you mean'):
        lookup(client, "virtualmachin")


def test_an_unknown_manifest(client: Client) -> None:
    with pytest.raises(NotFound, match='no matches for kind "Pod" in version "nosuch/v1"'):
        by_manifest(client, "nosuch/v1", "Pod")


def test_subresources_are_not_kinds(client: Client) -> None:
    assert [r["name"] for r in everything(client)] == ["virtualmachinepools"]


def test_what_we_know_by_heart_is_what_the_server_has() -> None:
    from solovirt.api import registry

    served = {(r.group, r.version, r.plural, r.singular, r.kind, r.short_names, r.namespaced) for r in registry.ALL}
    assert served == {tuple(kind) for kind in KNOWN}
