"""The image cache as the rest of solovirt sees it: ensure, import, list, remove.

Decides by pull policy whether the network is needed, makes concurrent pulls of one image one, and keeps blobs that a
machine uses. Knows nothing of VMs: who uses which blob is told by a callback.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from solovirt.host.images import files, index
from solovirt.host.images.credentials import Credentials
from solovirt.host.images.files import SparseWriter
from solovirt.host.images.index import Cache, Image, Record
from solovirt.host.images.pull import Progress, Pull, Request, describe, new_file
from solovirt.host.images.reference import DEFAULT_REGISTRY, Reference, parse
from solovirt.host.images.threads import Checkpoint, in_thread
from solovirt.kit import timestamps
from solovirt.kit.errors import Conflict, HostError, NotFound, Unavailable

__all__ = ["Credentials", "Image", "ImageStore", "Progress"]

POLICIES = ("Always", "IfNotPresent", "Never")
BUILT = ("tiny", "debian")
"""Images docker.io/solovirt/NAME are in no registry: ``solovirt image build NAME`` makes them."""
_GRACE = 600.0
_PARALLEL_PULLS = 3
_CHUNK = 1 << 20

InUse = Callable[[], Mapping[str, str]]
"""Blob file name (sha256) -> who uses it ("default/myvm"), for all machines that exist now. May block."""


class _Shared(msgspec.Struct):
    """A pull that several callers wait for."""

    task: asyncio.Task[Image]
    watchers: list[Callable[[Progress], None]] = []
    waiting: int = 0


class ImageStore:
    """One per daemon. ``in_use`` protects blobs of existing machines from removal; ``imported`` is called, in the event
    loop, when there is an image that needs no registry.

    Blobs that ``ensure`` returned stay for ten minutes in any case: time to make an overlay on them.
    """

    def __init__(
        self,
        root: Path,
        *,
        in_use: InUse = dict,
        imported: Callable[[], None] = lambda: None,
        architecture: str = "amd64",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._cache = Cache(root)
        self._in_use = in_use
        self._imported = imported
        self._architecture = architecture
        self._environ = environ
        self._pulls: dict[tuple[str, Credentials | None], _Shared] = {}
        self._handed_out: dict[str, float] = {}
        self._writing = asyncio.Lock()
        self._slots = asyncio.Semaphore(_PARALLEL_PULLS)

    @property
    def blobs(self) -> Path:
        return self._cache.blobs

    async def open(self) -> None:
        """Once, before anything else: makes the directories, sweeps what a killed daemon left. Raises ``HostError``."""
        with files.telling(self._cache.root, "image cache"):
            await asyncio.to_thread(self._cache.open)
        await self.collect()

    async def close(self) -> None:
        """Stops pulls that are under way; nothing of them is kept."""
        tasks = [shared.task for shared in self._pulls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ensure(
        self,
        reference: str,
        *,
        policy: str = "",
        credentials: Credentials | None = None,
        progress: Callable[[Progress], None] | None = None,
        paths: Collection[str] = (),
        field: str = "",
    ) -> Image:
        """The image, pulled if the policy wants it. Imported images win, without network.

        ``policy`` "" means Kubernetes' default for the tag. ``paths`` are files that are wanted beside those of /disk
        and /boot. ``field`` is the manifest's, for messages. Raises ``HostError`` with the kubelet's reasons
        ``InvalidImageName``, ``ErrImageNeverPull``, ``ErrImagePull``, or ``InvalidImage``, ``StorageFull``.
        """
        parsed = parse(reference, field=field)
        asked = frozenset(index.image_path(path, field) for path in paths if path)
        policy = policy or parsed.default_policy
        if policy not in POLICIES:
            raise HostError(f"imagePullPolicy {policy!r} is none of {', '.join(POLICIES)}", field=field)
        while True:
            image = await asyncio.to_thread(self._cache.load, parsed)
            if image is not None and (image.local or ((policy != "Always" or parsed.digest) and image.holds(asked))):
                return self._hand_out(image)
            if policy == "Never":
                raise self._never(parsed, image, field)
            request = Request(parsed, asked, credentials, self._architecture, self._environ, field)
            try:
                image = await self._join(request, progress)
            except HostError as error:
                # The pull may be another caller's: everyone gets an error of his own, for his own field.
                hint = _build(parsed) or error.hint
                raise HostError(error.message, reason=error.reason, field=field, hint=hint) from error
            if image.holds(asked):
                return self._hand_out(image)

    def _never(self, reference: Reference, image: Image | None, field: str) -> HostError:
        why = "is not present" if image is None else "lacks files that are asked for"
        return HostError(
            f'Container image "{reference.text}" {why} with pull policy of Never',
            reason="ErrImageNeverPull",
            field=field,
            hint=_build(reference) or f"solovirt image pull {reference.text}, or solovirt image import",
        )

    def _hand_out(self, image: Image) -> Image:
        now = asyncio.get_running_loop().time()
        self._handed_out = {name: until for name, until in self._handed_out.items() if until > now}
        self._handed_out.update({stored.sha256: now + _GRACE for stored in image.record.files})
        return image

    async def _join(self, request: Request, progress: Callable[[Progress], None] | None) -> Image:
        key = (request.reference.key, request.credentials)
        shared = self._pulls.get(key)
        if shared is None:
            watchers: list[Callable[[Progress], None]] = []
            task = asyncio.create_task(self._pull(request, watchers), name=f"pull {request.reference.key}")
            shared = self._pulls[key] = _Shared(task, watchers)
            task.add_done_callback(lambda _: self._ended(key, task))
        if progress is not None:
            shared.watchers.append(progress)
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        except asyncio.CancelledError:
            if shared.task.cancelled() and not _is_cancelled():
                raise Unavailable("the image store is being closed") from None
            raise
        finally:
            shared.waiting -= 1
            if progress is not None:
                shared.watchers.remove(progress)
            if not shared.waiting and not shared.task.done():
                # Nobody waits any more. A newcomer must not join a pull that is being cancelled.
                self._ended(key, shared.task)
                shared.task.cancel()
                await asyncio.wait({shared.task})
                if not shared.task.cancelled():
                    shared.task.exception()

    def _ended(self, key: tuple[str, Credentials | None], task: asyncio.Task[Image]) -> None:
        shared = self._pulls.get(key)
        if shared is not None and shared.task is task:
            del self._pulls[key]

    async def _pull(self, request: Request, watchers: list[Callable[[Progress], None]]) -> Image:
        def report(progress: Progress) -> None:
            for watcher in tuple(watchers):
                watcher(progress)

        async with self._slots:
            current = await asyncio.to_thread(self._cache.load, request.reference)
            if current is not None:
                have = {stored.path for stored in current.record.files}
                request = Request(
                    request.reference,
                    request.wanted | have,
                    request.credentials,
                    request.architecture,
                    request.environ,
                    request.field,
                )
            async with self._workspace() as directory:
                found = await Pull(request, directory, report).run(current)
                if found is None:
                    assert current is not None
                    return current
                image = await self._publish(*found)
        if current is not None:
            await self.collect()
        return image

    @contextlib.asynccontextmanager
    async def _workspace(self) -> AsyncIterator[Path]:
        with files.telling(self._cache.root, "image cache"):
            directory = await asyncio.to_thread(self._cache.new_workspace)
        try:
            yield directory
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    async def _publish(self, record: Record, contents: dict[str, SparseWriter]) -> Image:
        async with self._writing:
            with files.telling(self._cache.root, f"image {record.reference}"):
                image = await asyncio.to_thread(self._cache.publish, record, contents)
            return self._hand_out(image)

    async def import_file(
        self,
        reference: str,
        sources: Mapping[str, Path],
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> Image:
        """Local files under a reference, in place of whatever it named: path in the image -> file of this host.

        Files of /disk must be usable disks. Raises ``HostError`` (``UnreadableFile`` naming the file, ``InvalidImage``,
        ``InvalidImageName``, ``StorageFull``).
        """
        parsed = parse(reference)
        wanted = {index.image_path(path): source for path, source in sources.items()}
        if not wanted:
            raise HostError("no file to import", reason="InvalidImage")
        async with self._workspace() as directory:
            report = _from_thread(parsed.text, progress)
            taken = await in_thread(lambda checkpoint: _copy_all(directory, wanted, checkpoint, report))
            stored = tuple(describe(path, writer) for path, writer in taken.items())
            for file in stored:
                if file.refusal and os.path.dirname(file.path) == "/disk":
                    raise HostError(f"{wanted[file.path]}: {file.refusal}", reason="InvalidImage")
            record = Record(
                version=1,
                key=parsed.key,
                reference=parsed.text,
                updated=timestamps.now(),
                local=True,
                files=stored,
                names=tuple(sorted(wanted)),
            )
            image = await self._publish(record, {writer.sha256: writer for writer in taken.values()})
        self._imported()
        await self.collect()
        return image

    async def list(self) -> list[Image]:
        return await asyncio.to_thread(self._cache.images)

    async def remove(self, reference: str) -> None:
        """Raises ``NotFound``, or ``Conflict`` naming the machines whose disks lie on the image."""
        parsed = parse(reference)
        async with self._writing:
            images = {image.record.key: image for image in await asyncio.to_thread(self._cache.images)}
            image = images.pop(parsed.key, None)
            if image is None:
                raise NotFound(f'image "{parsed.text}" not found', reason="NotFound", hint="solovirt image ls")
            kept = {stored.sha256 for other in images.values() for stored in other.record.files}
            used = await asyncio.to_thread(self._in_use)
            users = sorted({used[stored.sha256] for stored in image.record.files if stored.sha256 in used})
            if users and any(s.sha256 in used and s.sha256 not in kept for s in image.record.files):
                raise Conflict(
                    f'image "{parsed.text}" is in use by {", ".join(users[:5])}' + (", ..." if users[5:] else ""),
                    hint="stop them first",
                )
            for stored in image.record.files:
                self._handed_out.pop(stored.sha256, None)
            await asyncio.to_thread(self._cache.forget, parsed.key)
        await self.collect()

    async def collect(self) -> int:
        """Deletes blobs that no image names and no machine uses; returns the bytes freed."""
        async with self._writing:
            now = asyncio.get_running_loop().time()
            recent = {name for name, until in self._handed_out.items() if until > now}
            used = await asyncio.to_thread(self._in_use)
            with files.telling(self._cache.root, "image cache"):
                return await asyncio.to_thread(self._cache.collect, recent | set(used))


def _build(reference: Reference) -> str:
    """The command that makes an image which is in no registry; else nothing."""
    names = {f"{DEFAULT_REGISTRY}/solovirt/{name}": f"solovirt image build {name}" for name in BUILT}
    return names.get(reference.name, "")


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _from_thread(reference: str, progress: Callable[[Progress], None] | None) -> Callable[[int, int], None]:
    """A reporter for a worker thread; the callback itself runs on the event loop."""
    loop = asyncio.get_running_loop()

    def report(done: int, total: int) -> None:
        if progress is not None:
            loop.call_soon_threadsafe(progress, Progress(reference, "importing", done, total))

    return report


def _copy_all(
    directory: Path, sources: Mapping[str, Path], checkpoint: Checkpoint, report: Callable[[int, int], None]
) -> dict[str, SparseWriter]:
    total = sum(_size(source) for source in sources.values())
    taken: dict[str, SparseWriter] = {}
    for path, source in sorted(sources.items()):
        before = sum(writer.size for writer in taken.values())
        taken[path] = _copy(directory, source, checkpoint, _after(before, total, report))
    return taken


def _after(before: int, total: int, report: Callable[[int, int], None]) -> Callable[[int], None]:
    return lambda done: report(before + done, total)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _copy(directory: Path, source: Path, checkpoint: Checkpoint, report: Callable[[int], None]) -> SparseWriter:
    what = f"importing {source}"
    descriptor = files.open_regular(source, "import", follow=True)
    with files.telling(directory, what), open(descriptor, "rb") as file:
        with new_file(directory) as writer:
            for data in _chunks(file.fileno()):
                checkpoint()
                writer.write(data)
                report(writer.size)
            writer.commit()
        return writer


def _chunks(descriptor: int) -> Iterable[bytes]:
    while data := os.read(descriptor, _CHUNK):
        yield data
