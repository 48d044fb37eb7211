"""``guest VERB NAME``: which module does what to a running guest through its agent.

``VERBS`` is to ``guest`` what ``COMMANDS`` of ``cli.main`` is to ``solovirt``; a module is given ``guest VERB`` as its
verb. Must not know what any of them does.
"""

from __future__ import annotations

VERBS: dict[str, tuple[str, str]] = {
    "exec": ("guest_exec", "run a command inside the guest, its output as it comes"),
    "cp": ("guest_cp", "copy a file into the guest or out of it"),
    "freeze": ("guest_freeze", "hold the guest's file systems still, until a deadline"),
    "thaw": ("guest_freeze", "let frozen file systems go on"),
    "freeze-status": ("guest_freeze", "whether the guest's file systems are frozen, and until when"),
}
"""Verb -> module in ``cli.commands``, summary."""
