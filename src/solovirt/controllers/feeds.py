"""Following a kind: every change reaches a handler, and when some were missed everything is looked at again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.kit.errors import Expired
from solovirt.store.objects import Objects
from solovirt.store.watch import Change

log = logging.getLogger(__name__)

T = TypeVar("T", bound=KubeObject)


async def follow(
    objects: Objects, resource: Resource[T], handle: Callable[[Change[T]], None], missed: Callable[[], None]
) -> None:
    """Runs until the store closes or it is cancelled. First every object there is comes as ADDED.

    ``missed`` is called when changes were lost (deletions among them) before all objects come anew.
    """
    while True:
        watch = objects.watch(resource)
        try:
            async for change in watch:
                try:
                    handle(change)
                except Exception:
                    log.exception("handling %r failed", change)
            return
        except Expired:
            log.warning("the controllers fell behind with %s; looking at all of them again", resource.key)
            missed()
        finally:
            watch.close()
