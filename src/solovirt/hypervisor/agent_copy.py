"""What happens in a guest around the copy of a file, where it has a shell: looked at before, checked and put in place
after.

Everything that is given to a script is an argument of its own, never part of its text. Must not know where the other
end of a copy is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_exec import script
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.errors import BadRequest, GuestError, NotFound
from solovirt.kit.text import printable

_PATH = "PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}; export PATH\n"
_MISSING, _DIRECTORY, _SPECIAL, _DIFFERS, _NO_PARENT = 20, 21, 22, 23, 24
"""Exit statuses of the scripts."""
_LOOK = (
    _PATH
    + f"""[ -e "$1" ] || exit {_MISSING}
[ -d "$1" ] && exit {_DIRECTORY}
[ -f "$1" ] || exit {_SPECIAL}
[ -r "$1" ] || exit 1
set -- "$1" $(stat -L -c '%s %a' -- "$1")
[ "$3" ] || set -- "$1" "$(wc -c <"$1")" 0
s=
if command -v sha256sum >/dev/null 2>&1; then s=$(head -c "$2" -- "$1" | sha256sum); fi
echo "$2 $3 ${{s%% *}}"
"""
)
_BEGIN = (
    _PATH
    + f"""[ -d "$1" ] && exit {_DIRECTORY}
[ -e "$1" ] && [ ! -f "$1" ] && exit {_SPECIAL}
case $1 in */*) p=${{1%/*}}/;; *) p=./;; esac
[ -d "$p" ] || exit {_NO_PARENT}
umask 077
set -C
: >"$2"
"""
)
_FINISH = (
    _PATH
    + f"""s=
if command -v sha256sum >/dev/null 2>&1; then s=$(sha256sum <"$2") || exit 1; s=${{s%% *}}; fi
if [ "$s" ]; then [ "$s" = "$3" ] || exit {_DIFFERS}; else [ "$(wc -c <"$2")" -eq "$4" ] || exit {_DIFFERS}; fi
chmod "$5" -- "$2" || exit 1
[ -d "$1" ] && exit {_DIRECTORY}
mv -f -- "$2" "$1" || exit 1
echo "${{s:+sha256}}"
"""
)
_REMOVE = _PATH + 'rm -f -- "$1"\n'
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[0-9]{1,18}")
"""No file has more than 2**63 bytes; nobody has to make a number of a megabyte of digits."""
HASHING = 3600.0
"""Seconds: a guest reads the whole file once more."""


@dataclass(frozen=True, slots=True)
class Look:
    """A regular file in the guest. ``mode`` are its permission bits, None where the guest does not tell; ``sha256`` is
    of its first ``size`` bytes, "" where the guest has no sha256sum.
    """

    size: int
    mode: int | None = None
    sha256: str = ""


async def look(agent: GuestAgent, path: str) -> Look:
    """Raises NotFound, BadRequest for what is no regular file, ``GuestError``; ``has_no_shell`` tells that apart."""
    done = await script(agent, _LOOK, path, timeout=HASHING)
    _check(done, path)
    words = done.stdout.decode("ascii", "replace").split()
    if len(words) not in (2, 3) or not _SIZE.fullmatch(words[0]) or not re.fullmatch(r"[0-7]{1,4}", words[1]):
        raise GuestError("the guest told no size of the file", reason="AgentBadReply")
    sha256 = words[2] if len(words) == 3 else ""
    if sha256 and not _SHA256.fullmatch(sha256):
        raise GuestError("the guest told no SHA-256 of the file", reason="AgentBadReply")
    mode = int(words[1], 8) & 0o777
    return Look(int(words[0]), mode or None, sha256)


async def begin(agent: GuestAgent, path: str, partial: str) -> None:
    """Make ``partial``, beside ``path``, for the guest's root alone. Raises as :func:`look`."""
    _check(await script(agent, _BEGIN, path, partial), path)


async def finish(agent: GuestAgent, path: str, partial: str, *, sha256: str, size: int, mode: int) -> bool:
    """Check ``partial``, give it its mode, and put it where ``path`` is: what was there is replaced at once.

    True when the guest compared SHA-256; False when it has no sha256sum and only the size was compared. Raises
    ``GuestError`` reason "ChecksumMismatch" too.
    """
    words = (path, partial, sha256, str(size), f"{mode & 0o7777:o}")
    done = await script(agent, _FINISH, *words, timeout=HASHING)
    _check(done, path)
    return done.stdout.strip() == b"sha256"


async def discard(agent: GuestAgent, partial: str) -> None:
    await script(agent, _REMOVE, partial)


def _check(done: ExecResult, path: str) -> None:
    shown = printable(path, 256)
    code = done.exit_code
    if code == 0:
        return
    if code == _MISSING:
        raise NotFound(f"{shown}: no such file in the guest")
    if code == _DIRECTORY:
        hint = "name the file itself; tar makes one file of a directory"
        raise BadRequest(f"{shown} is a directory in the guest", hint=hint)
    if code == _SPECIAL:
        raise BadRequest(f"{shown} is no regular file in the guest")
    if code == _DIFFERS:
        raise GuestError(f"{shown}: what arrived in the guest is not what was sent", reason="ChecksumMismatch")
    if code == _NO_PARENT:
        raise NotFound(f"{shown}: its directory does not exist in the guest")
    said = printable(done.stderr[:1024].decode("utf-8", "replace").strip(), 512)
    raise GuestError(f"{shown}: {said or 'the guest refused it without a word'}", reason="CopyFailed")
