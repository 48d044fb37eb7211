from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.sources import ClaimSource, HostDiskSource, Volume
from solovirt.controllers.vmi import users as module
from solovirt.host import access
from tests.unit.controllers.lab import Lab, lone_vmi


async def test_nobody_else_for_an_ordinary_daemon(lab: Lab) -> None:
    assert await lab.manager._vmis.users.take(lone_vmi()) is None
    assert lab.manager._vmis.records.grants() == {}


async def test_each_machine_has_its_own_user(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_root", lambda: True)
    users = lab.manager._vmis.users
    users._last = access.BASE + 4
    # A process of somebody else's machine, or one that outlived its own, has the second.
    monkeypatch.setattr(access, "live_users", lambda: {access.BASE + 6})
    taken = []
    for number in range(3):
        vmi = lone_vmi()
        vmi.metadata.uid = str(number)
        vmi.spec.volumes = [
            Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="p")),
            Volume(name="b", host_disk=HostDiskSource(path="/data/x", type="Disk")),
        ]
        taken.append(await users.take(vmi))
        assert await users.take(vmi) == taken[-1], "the same again"
    assert taken == [(access.BASE + number, access.BASE + number) for number in (5, 7, 8)]
    record = lab.manager._vmis.records.grant("0")
    assert record is not None
    assert record.paths == ("/claims/default/p", "/data/x")


async def test_rights_are_taken_back_before_the_user_is_free(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_root", lambda: True)
    opened = {Path("/data/x"): {access.BASE: 6}, Path("/data/y"): {access.BASE + 1: 6}}
    monkeypatch.setattr(access, "granted", lambda path: opened.get(path, {}))
    revoked: list[tuple[int, list[Path]]] = []

    async def revoke(uid: int, paths: Iterable[Path]) -> None:
        revoked.append((uid, list(paths)))

    def end_all_of(uid: int) -> int:
        ended.append((uid, len(revoked)))
        return 1

    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(access, "end_all_of", end_all_of)
    monkeypatch.setattr(access, "live_users", set)
    monkeypatch.setattr(access, "revoke", revoke)
    users = lab.manager._vmis.users
    users._last = access.BASE - 1
    vmi = lone_vmi()
    vmi.metadata.uid = "1"
    vmi.spec.volumes = [
        Volume(name=name, host_disk=HostDiskSource(path=f"/data/{name}", type="Disk")) for name in ("x", "y")
    ]
    await users.take(vmi)
    await users.revoke("1")
    assert ended == [(access.BASE, 0)], "its processes end before its rights do"
    assert revoked == [(access.BASE, [Path("/data/x")])]
    assert lab.manager._vmis.records.grant("1") is not None
    await users.give_back("1")
    assert lab.manager._vmis.records.grant("1") is None
    await users.revoke("unknown")


def test_the_group_of_kvm(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    monkeypatch.setattr(module, "KVM", device)
    users = lab.manager._vmis.users
    assert users.groups("kvm") == ()
    device.touch()
    assert users.groups("kvm") == (os.stat(device).st_gid,)
    assert users.groups("tcg") == ()


async def test_files_come_and_go_while_the_machine_runs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_root", lambda: True)
    monkeypatch.setattr(access, "live_users", set)
    revoked: list[list[Path]] = []

    async def revoke(uid: int, paths: Iterable[Path]) -> None:
        revoked.append(sorted(paths))

    monkeypatch.setattr(access, "revoke", revoke)
    users, vmi = lab.manager._vmis.users, lone_vmi()
    vmi.metadata.uid = "u"
    await users.take(vmi)
    await asyncio.gather(*(users.take(vmi, [Path(f"/claims/{name}")]) for name in "abc"))
    assert users.opened("u") == {"/claims/a", "/claims/b", "/claims/c"}
    await asyncio.gather(users.take_back("u", ["/claims/a"]), users.take_back("u", ["/claims/b", "/never"]))
    assert users.opened("u") == {"/claims/c"}
    assert [Path("/claims/a")] in revoked
    before = len(revoked)
    await users.take_back("u", ["/never"])
    assert len(revoked) == before and users.opened("nobody") == set()
