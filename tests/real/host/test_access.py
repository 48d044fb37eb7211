"""As root: one machine's user reaches its own files and images that it was given, and nothing of another's."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.sources import (
    ClaimSource,
    CloudInitSource,
    ContainerDiskSource,
    HostDiskSource,
    Volume,
)
from solovirt.host import access
from solovirt.host.images.store import ImageStore
from solovirt.host.volumes import hostdisk
from solovirt.host.volumes.claims import Claims
from solovirt.host.volumes.prepare import Context, Volumes
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths
from tests.unit.host.images.fakes import raw_disk
from tests.unit.host.volumes.fakes import Objects, vmi

pytestmark = [pytest.mark.real, pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")]

A, B = access.BASE + 1, access.BASE + 2


def can(uid: int, mode: str, path: str | Path) -> bool:
    """Whether a process of this user, with no other right, may open the file."""
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "test", f"-{mode}", str(path)]
    return subprocess.run(command, timeout=30).returncode == 0


@pytest.fixture
def paths() -> Iterator[Paths]:
    """Below /tmp directly: pytest's own directories are closed to other users."""
    root = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    root.chmod(0o711)
    made = Paths(root / "state", root / "run")
    access.open_up(made)
    yield made
    shutil.rmtree(root)


async def test_two_machines(paths: Paths) -> None:
    images = ImageStore(paths.images)
    await images.open()
    disk = paths.state / "base"
    disk.write_bytes(raw_disk())
    await images.import_file("solovirt/tiny", {"/disk/base": disk, "/boot/vmlinuz": disk})
    claims = Claims(paths.volumes)
    objects = Objects(claims={"default/a"})
    await claims.create("default", "a", 1 << 20)
    volumes = Volumes(paths, images, claims)

    def machine(uid: str, *more: Volume) -> tuple[Volume, ...]:
        return (
            Volume(name="root", container_disk=ContainerDiskSource(image="solovirt/tiny")),
            Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="secret")),
            *more,
        )

    claim = Volume(name="data", persistent_volume_claim=ClaimSource(claim_name="a"))
    of_a = await volumes.prepare(vmi(*machine("a", claim), uid="a"), Context(objects, run_as=(A, A)))
    of_b = await volumes.prepare(vmi(*machine("b"), uid="b"), Context(objects, run_as=(B, B)))

    base = of_a["root"].image.backing
    assert base is not None
    for name in ("root", "seed", "data"):
        assert can(A, "w", of_a[name].image.path), name
        assert not can(B, "r", of_a[name].image.path), name
    assert can(A, "r", base.path)
    assert not can(A, "w", base.path)
    assert can(B, "r", base.path)
    assert not can(A, "r", of_b["root"].image.path)
    assert not can(A, "r", paths.state)
    assert not can(A, "r", images.blobs)
    assert access.granted(Path(of_a["data"].image.path)) == {A: 6}

    await volumes.release(A, of_a, None)
    assert not can(A, "r", of_a["data"].image.path)
    assert not can(A, "r", base.path)
    assert can(B, "r", base.path)
    await access.revoke_stale([Path(base.path)], live=())
    assert not can(B, "r", base.path)
    await images.close()


async def test_revoke_stale_keeps_the_living(paths: Paths) -> None:
    path = paths.state / "f"
    path.write_bytes(b"x")
    path.chmod(0o600)
    await access.grant(A, read=[path])
    await access.grant(B, write=[path])
    await access.grant(12345, read=[path])
    await access.revoke_stale([path], live={B})
    assert access.granted(path) == {B: 6, 12345: 4}


async def test_a_link_put_in_the_way_gains_nothing(paths: Paths) -> None:
    victim = paths.state / "victim"
    victim.write_bytes(b"x")
    victim.chmod(0o600)
    instance = paths.instance("a")
    instance.mkdir(parents=True)
    (instance / "link").symlink_to(victim)
    os.link(victim, instance / "hard")
    (instance / "own").write_bytes(b"x")
    access.hand_over(instance, A, A)
    assert victim.stat().st_uid == 0
    assert (instance / "own").stat().st_uid == A
    found = instance.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, A, 0o710)
    assert can(A, "w", instance / "own")
    assert not can(A, "r", instance) and not can(A, "w", instance), "it can neither list nor change it"
    assert not can(B, "x", instance)
    with pytest.raises(HostError, match="not a regular file"):
        await access.grant(A, write=[instance / "link"])
    assert not can(A, "r", victim)


async def test_a_host_disk_behind_a_closed_directory_is_told(paths: Paths) -> None:
    closed = paths.state / "closed"
    closed.mkdir(mode=0o700)
    images = ImageStore(paths.images)
    await images.open()
    volumes = Volumes(paths, images, Claims(paths.volumes))

    def machine(path: Path, uid: str) -> Volume:
        return Volume(name="host", host_disk=HostDiskSource(path=str(path), type="DiskOrCreate", capacity="1Mi"))

    context = Context(Objects(), run_as=(A, A))
    with pytest.raises(HostError) as caught:
        await volumes.prepare(vmi(machine(closed / "d", "a"), uid="a"), context)
    assert caught.value.reason == "AccessDenied"
    assert "chmod o+x" in caught.value.hint
    assert caught.value.field == "spec.volumes[0].hostDisk.path"
    found = await volumes.prepare(vmi(machine(paths.state / "d", "b"), uid="b"), context)
    assert can(A, "w", found["host"].image.path)
    assert not can(B, "r", found["host"].image.path)
    await images.close()


def asleep(uid: int) -> subprocess.Popen[bytes]:
    """A process of a machine's user that nobody waits for; it is that user's by now."""
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sleep", "60"]
    started = subprocess.Popen(words)
    deadline = time.monotonic() + 60
    status = Path(f"/proc/{started.pid}/status")
    while not {"Name:\tsleep", "\t".join(["Uid:", *[str(uid)] * 4])} <= set(status.read_text().splitlines()):
        assert time.monotonic() < deadline, status.read_text()
        time.sleep(0.01)
    return started


def test_nothing_of_a_user_is_left_before_it_is_used_again() -> None:
    # Ids of the far end: real machines of this host may have others.
    one, two = access.BASE + access.COUNT - 1, access.BASE + access.COUNT - 2
    victims, bystander = [asleep(one), asleep(one)], asleep(two)
    try:
        assert {one, two} <= access.live_users()
        assert access.end_all_of(one) >= 2
        assert [victim.wait(60) for victim in victims] == [-9, -9]
        assert bystander.poll() is None
        assert one not in access.live_users() and two in access.live_users()
        assert access.end_all_of(one) == 0
        assert access.end_all_of(os.getuid()) == 0, "never a user that is no machine's"
    finally:
        for process in (*victims, bystander):
            process.kill()
            process.wait(60)


async def test_a_directory_swapped_for_a_link_after_the_look_gains_nothing(paths: Paths) -> None:
    """A host disk in another user's directory: between our look at it and the grant, that user puts a link there."""
    secret, theirs = paths.state / "secret", paths.state / "theirs"
    for directory in (secret, theirs):
        directory.mkdir()
        (directory / "disk").write_bytes(b"x" * 4096)
        (directory / "disk").chmod(0o600)
    source = HostDiskSource(path=str(theirs / "disk"), type="Disk")
    hostdisk.prepare(source, "spec.volumes[0].hostDisk")
    theirs.rename(paths.state / "away")
    theirs.symlink_to(secret)
    with pytest.raises(HostError, match="disk: "):
        await access.grant(A, foreign=[Path(source.path)])
    assert access.granted(secret / "disk") == {}
    theirs.unlink()
    (paths.state / "away").rename(theirs)
    await access.grant(A, foreign=[Path(source.path)])
    assert access.granted(theirs / "disk") == {A: 6}


async def test_a_device_of_the_host_is_opened_to_one_machine(paths: Paths) -> None:
    """As /dev/vhost-vsock: a character device, which only what is named as a device may be."""
    device = paths.state / "device"
    os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    with pytest.raises(HostError, match="not a regular file"):
        await access.grant(A, write=[device])
    await access.grant(A, devices=[device])
    assert access.granted(device) == {A: 6}
    await access.revoke(A, [device])
    assert access.granted(device) == {}


async def test_what_a_guest_made_in_a_shared_directory_is_deleted(paths: Paths) -> None:
    """Deeper than a stack or the open files of a process go, with a link out of it."""
    claims = Claims(paths.volumes)
    directory = await claims.make_directory("default", "data")
    outside = paths.state / "outside"
    outside.write_text("stays")
    place = os.open(directory, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.symlink(outside, "link", dir_fd=place)
    os.symlink(paths.state, "directory", dir_fd=place)
    os.close(place)
    await claims.delete("default", "data")
    await claims.delete("default", "data")
    assert not directory.exists() and outside.read_text() == "stays"
