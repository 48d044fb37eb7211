"""When a machine was reset last. It must not know why.

QEMU (7.2, softmmu/runstate.c) aborts when a reset is due while it has stopped the machine to save its memory:
its run states know no way from ``save-vm`` to ``prelaunch``. Such a reset can be foreseen: SeaBIOS, entered by a warm
reset, resets the machine once more before it does anything else.
"""

from __future__ import annotations

import asyncio
import time

from solovirt.kit.errors import Conflict

ECHO = 1.0
"""Seconds within which the second reset comes: 0.1 to 0.2 in an emulated machine on a busy host."""
PATIENCE = 10.0


class Resets:
    """Of one machine, as far as its events tell."""

    def __init__(self) -> None:
        self._last = -ECHO

    def seen(self) -> None:
        self._last = time.monotonic()

    async def over(self) -> None:
        """Returns when the firmware will not reset the machine. Raises ``Conflict`` when there is no end of resets."""
        deadline = time.monotonic() + PATIENCE
        while (left := self._last + ECHO - time.monotonic()) > 0:
            if time.monotonic() > deadline:
                text = f"the machine has been reset again and again for {PATIENCE:g} s"
                raise Conflict(text, reason="Resetting", hint="pause it first")
            await asyncio.sleep(left)
