"""The image store in the terms of the API: plain JSON objects, progress on the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from solovirt.host.images import reference as references
from solovirt.host.images.credentials import Credentials, from_secret
from solovirt.host.images.store import Image, ImageStore, Progress
from solovirt.kit.json import Json, JsonObject
from solovirt.server.interfaces import ImportRequest, PullRequest


class ImageCache:
    """``server.interfaces.Images`` over an ImageStore."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    async def list(self) -> list[JsonObject]:
        return [_described(image) for image in await self._store.list()]

    async def pull(self, request: PullRequest, progress: Callable[[JsonObject], None]) -> JsonObject:
        """Raises HostError with the kubelet's reasons."""
        loop = asyncio.get_running_loop()

        def report(found: Progress) -> None:
            # The store may report from the thread that copies.
            loop.call_soon_threadsafe(progress, _progress(found))

        image = await self._store.ensure(
            request.reference, policy=request.policy or "Always", credentials=_credentials(request), progress=report
        )
        return _described(image)

    async def add(self, request: ImportRequest, progress: Callable[[JsonObject], None]) -> JsonObject:
        """Raises HostError."""
        progress({"message": f"importing {request.reference}", "done": 0, "total": 0})
        files = {inside: Path(local) for inside, local in request.files.items()}
        return _described(await self._store.import_file(request.reference, files))

    async def remove(self, reference: str) -> None:
        """Raises NotFound, Conflict while a machine uses it."""
        await self._store.remove(reference)


def _credentials(request: PullRequest) -> Credentials | None:
    if not request.username and not request.password:
        return None
    data = {"username": request.username.encode(), "password": request.password.encode()}
    return from_secret("of the request", data, references.parse(request.reference).registry)


def _described(image: Image) -> JsonObject:
    files: list[Json] = [stored.path for stored in image.record.files]
    return {
        "reference": image.reference,
        "digest": image.digest or _local_digest(image),
        "size": image.size,
        "files": files,
        "imported": image.local,
    }


def _local_digest(image: Image) -> str:
    """An imported image has no registry's digest: one of its files' names and contents stands in."""
    listed = "".join(f"{stored.path} {stored.sha256}\n" for stored in image.record.files)
    return "sha256:" + hashlib.sha256(listed.encode()).hexdigest()


def _progress(found: Progress) -> JsonObject:
    return {"message": f"{found.phase} {found.reference}", "done": found.done, "total": found.total}
