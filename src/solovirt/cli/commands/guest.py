"""``guest VERB NAME``: which module does what to a running guest through its agent.

``VERBS`` is to ``guest`` what ``COMMANDS`` of ``cli.main`` is to ``solovirt``; a module is given ``guest VERB`` as its
verb. Must not know what any of them does.
"""

from __future__ import annotations

VERBS: dict[str, tuple[str, str]] = {
    "info": ("guest_info", "the agent's version, and which commands it has and allows"),
    "osinfo": ("guest_info", "the guest's operating system and kernel"),
    "hostname": ("guest_info", "the guest's name for itself"),
    "tz": ("guest_info", "the guest's time zone"),
    "users": ("guest_info", "who is logged in"),
    "time": ("guest_time", "the guest's clock beside ours; --set sets it"),
    "interfaces": ("guest_devices", "network interfaces, addresses, traffic"),
    "disks": ("guest_devices", "disks and partitions"),
    "fs": ("guest_devices", "mounted file systems, and how full they are"),
    "vcpus": ("guest_online", "CPUs that the guest uses; --set switches them"),
    "memory-blocks": ("guest_online", "blocks of memory that the guest uses; --set switches them"),
    "cpustats": ("guest_stats", "what each CPU spent its time on since the guest booted"),
    "diskstats": ("guest_stats", "what each disk read and wrote since the guest booted"),
    "exec": ("guest_exec", "run a command inside the guest, its output as it comes"),
    "cp": ("guest_cp", "copy a file into the guest or out of it"),
    "set-password": ("guest_password", "set a user's password"),
    "ssh-keys": ("guest_keys", "list, add and remove the keys that may log in by ssh"),
    "trim": ("guest_trim", "give back to the host what file systems do not use"),
    "freeze": ("guest_freeze", "hold the guest's file systems still, until a deadline"),
    "thaw": ("guest_freeze", "let frozen file systems go on"),
    "freeze-status": ("guest_freeze", "whether the guest's file systems are frozen, and until when"),
    "shutdown": ("guest_power", "have the guest shut itself down, halt or reboot"),
    "reboot": ("guest_power", "have the guest reboot"),
    "suspend-ram": ("guest_power", "have the guest suspend itself to RAM"),
    "suspend-disk": ("guest_power", "have the guest suspend itself to disk and power off"),
    "suspend-hybrid": ("guest_power", "to RAM, with a copy on disk"),
    "wakeup": ("guest_power", "wake up a guest that is suspended to RAM"),
}
"""Verb -> module in ``cli.commands``, summary."""
