"""``asyncio.to_thread`` for modules that are also used without an event loop.

asyncio takes 45 ms to import. Commands such as ``explain`` plan a machine with the same modules that the daemon
prepares it with, and never run a loop; so asyncio is imported by the first coroutine, not by the module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """``function`` in a thread, its result or exception here."""
    import asyncio

    return await asyncio.to_thread(function, *args, **kwargs)
