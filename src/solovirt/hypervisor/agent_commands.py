"""What is known of the guest agent's commands before any guest is asked: since when they exist, where they work, what
may be wrong when an agent refuses one. Pure.

Source: QEMU's qga/qapi-schema.json and qga/main.c; RHEL's and Fedora's qemu-ga.sysconfig.
"""

from __future__ import annotations

import base64
import binascii

from solovirt.kit.json import JsonObject, get_str
from solovirt.kit.text import printable

SINCE = {
    "guest-sync": "0.15", "guest-ping": "0.15", "guest-info": "0.15", "guest-shutdown": "0.15",
    "guest-file-open": "0.15", "guest-file-close": "0.15", "guest-file-read": "0.15", "guest-file-write": "0.15",
    "guest-file-seek": "0.15", "guest-file-flush": "0.15", "guest-fsfreeze-status": "0.15",
    "guest-fsfreeze-freeze": "0.15", "guest-fsfreeze-thaw": "0.15", "guest-sync-delimited": "1.1",
    "guest-suspend-disk": "1.1", "guest-suspend-ram": "1.1", "guest-suspend-hybrid": "1.1",
    "guest-network-get-interfaces": "1.1", "guest-fstrim": "1.2", "guest-get-time": "1.5", "guest-set-time": "1.5",
    "guest-get-vcpus": "1.5", "guest-set-vcpus": "1.5", "guest-fsfreeze-freeze-list": "2.2", "guest-get-fsinfo": "2.2",
    "guest-set-user-password": "2.3", "guest-get-memory-blocks": "2.3", "guest-set-memory-blocks": "2.3",
    "guest-get-memory-block-info": "2.3", "guest-exec": "2.5", "guest-exec-status": "2.5",
    "guest-get-host-name": "2.10", "guest-get-users": "2.10", "guest-get-timezone": "2.10", "guest-get-osinfo": "2.10",
    "guest-get-disks": "5.2", "guest-get-devices": "5.2", "guest-ssh-get-authorized-keys": "5.2",
    "guest-ssh-add-authorized-keys": "5.2", "guest-ssh-remove-authorized-keys": "5.2", "guest-get-diskstats": "7.1",
    "guest-get-cpustats": "7.1", "guest-network-get-route": "9.1", "guest-get-load": "10.0",
}  # fmt: skip
"""Command -> the version of qemu-ga that brought it."""

WINDOWS_ONLY = frozenset({"guest-get-devices"})
NOT_WINDOWS = frozenset(
    {
        "guest-suspend-hybrid",
        "guest-set-vcpus",
        "guest-get-memory-blocks",
        "guest-set-memory-blocks",
        "guest-get-memory-block-info",
    }
)
"""Those that no Windows agent has. Others came to Windows later than their version says."""
SUSPEND = ("guest-suspend-ram", "guest-suspend-disk", "guest-suspend-hybrid")

_ENABLE = (
    "the guest's administrator can allow it: qemu-ga's --block-rpcs or --allow-rpcs decides, which are in"
    " /etc/qemu/qemu-ga.conf, on RHEL and Fedora in /etc/sysconfig/qemu-ga (BLACKLIST_RPC, BLOCK_RPCS or"
    " FILTER_RPC_ARGS); then restart qemu-guest-agent"
)
_SUSPEND = "the guest needs systemd, pm-utils, or the mode in its /sys/power/state; suspending to disk also needs swap"


def hint(command: str, reason: str, text: str) -> str:
    """What may help against an error that an agent answered ``command`` with; ``text`` is what it said."""
    if command in WINDOWS_ONLY and reason in ("CommandDisabled", "CommandNotFound"):
        # Once thawed, a Linux agent goes on saying that these are off because it is frozen.
        return "only Windows agents have it"
    if "frozen" in text and reason == "CommandDisabled":
        return "its file systems are frozen: `solovirt guest thaw` lets them go on"
    if reason == "CommandDisabled":
        return _ENABLE
    if reason == "CommandNotFound":
        since = SINCE.get(command)
        known = f"qemu-guest-agent has it since {since}" if since else "no known qemu-guest-agent has it"
        return known + ("; not on Windows" if command in NOT_WINDOWS else "")
    if reason == "CommandFailed" and command in SUSPEND:
        return _SUSPEND
    return ""


def redacted(text: str, command: str, arguments: JsonObject | None) -> str:
    """``text``, which a guest wrote and which is printable, without the password that ``command`` told it."""
    if command != "guest-set-user-password" or arguments is None:
        return text
    encoded = get_str(arguments, "password")
    try:
        plain = base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        plain = ""
    for secret in (encoded, plain, printable(plain, len(plain))):
        if secret:
            text = text.replace(secret, "***")
    return text
