"""Debian packages as material: which versions apt would install, fetching them, unpacking them. Installs nothing.

Works for an ordinary user. When the system's package lists are missing or out of date, private ones are fetched beside
the build. Knows nothing of what the packages are used for.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from solovirt.host import packages
from solovirt.kit.errors import HostError

Progress = Callable[[str], None]

TIME_LIMIT = 900.0


class Package(NamedTuple):
    """The version that apt would install; ``depends`` are the names it needs (the first of alternatives)."""

    name: str
    version: str
    depends: tuple[str, ...]
    size: int


class Archive:
    """Debian's package archive as this machine's apt sees it.

    ``private`` is a folder for own package lists. All methods block; all raise ``HostError``: reason ``MissingTool``,
    or ``PackagesUnavailable`` with what apt said.
    """

    def __init__(self, private: Path, *, progress: Progress) -> None:
        self._private = private
        self._progress = progress
        self._options: tuple[str, ...] = ()

    def show(self, names: Sequence[str]) -> dict[str, Package]:
        """The packages by name; all of ``names`` are there, or it is an error."""
        found = self.known(names)
        if any(name not in found for name in names) and not self._options:
            self.refresh()
            found = self.known(names)
        missing = [name for name in names if name not in found]
        if missing:
            raise HostError(
                f"apt knows no package {', '.join(missing)}",
                reason="PackagesUnavailable",
                hint="check /etc/apt/sources.list: the tiny guest is built from Debian's packages for amd64",
            )
        return found

    def closure(self, names: Sequence[str], follow: Callable[[str], bool]) -> dict[str, Package]:
        """``names`` and, of what they need, everything whose name ``follow`` accepts."""
        found: dict[str, Package] = {}
        wanted = list(dict.fromkeys(names))
        while wanted:
            found.update(self.show(wanted))
            needed = [name for known in wanted for name in found[known].depends if follow(name)]
            wanted = [name for name in dict.fromkeys(needed) if name not in found]
        return found

    def download(self, wanted: Iterable[Package], folder: Path) -> list[Path]:
        """The .deb files, verified by apt against its signed lists."""
        arguments = [f"{package.name}={package.version}" for package in wanted]
        done = self._apt("apt-get", "download", *arguments, cwd=folder)
        if done.returncode != 0 and not self._options:
            self.refresh()
            done = self._apt("apt-get", "download", *arguments, cwd=folder)
        if done.returncode != 0:
            raise _unavailable("packages cannot be fetched", done.stderr)
        return sorted(folder.glob("*.deb"))

    def refresh(self) -> None:
        """Fetch own package lists; from now on these are used."""
        self._progress("fetching package lists")
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self._private / name).mkdir(parents=True, exist_ok=True)
        state, cache = self._private / "state", self._private / "cache"
        self._options = ("-o", f"Dir::State={state}/", "-o", f"Dir::Cache={cache}/")
        done = self._apt("apt-get", "update", cwd=self._private)
        if done.returncode != 0:
            raise _unavailable("package lists cannot be fetched", done.stderr)

    def known(self, names: Sequence[str]) -> dict[str, Package]:
        """Those of ``names`` that apt knows."""
        done = self._apt("apt-cache", "show", "--no-all-versions", *names, cwd=Path("/"))
        return {package.name: package for package in parse(done.stdout)}

    def _apt(self, tool: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        path = packages.require(tool, needed_for="building the tiny guest")
        return run([str(path), *self._options, *arguments], cwd=cwd, check=False)


def parse(stanzas: str) -> list[Package]:
    """The output of ``apt-cache show``."""
    found = []
    for stanza in stanzas.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields and "Version" in fields:
            depends = ", ".join(filter(None, (fields.get("Pre-Depends", ""), fields.get("Depends", ""))))
            names = [re.split(r"[ :(|]", entry.strip(), maxsplit=1)[0] for entry in depends.split(",")]
            size = int(fields.get("Size", "0"))
            found.append(Package(fields["Package"], fields["Version"], tuple(filter(None, names)), size))
    return found


def unpack(deb: Path, into: Path) -> None:
    """The package's files below ``into``; none of its scripts is run."""
    tool = packages.require("dpkg-deb", needed_for="building the tiny guest")
    run([str(tool), "--extract", str(deb), str(into)])


def run(
    command: Sequence[str], *, cwd: Path | None = None, check: bool = True, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One program's run, in the C locale. Raises ``HostError`` (reason ``ToolFailed``) with what it said at last."""
    environment = {**os.environ, "LC_ALL": "C", **(environ or {})}
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{name} did not end within {TIME_LIMIT:.0f} s", reason="ToolFailed") from error
    if check and done.returncode != 0:
        raise HostError(f"{name} failed: {_last_lines(done.stderr or done.stdout)}", reason="ToolFailed")
    return done


def _unavailable(what: str, told: str) -> HostError:
    return HostError(
        f"{what}: {_last_lines(told)}",
        reason="PackagesUnavailable",
        hint="check the network and /etc/apt/sources.list, then run: apt-get update",
    )


def _last_lines(told: str) -> str:
    lines = [line.strip() for line in told.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")] or lines
    return "; ".join(errors[-3:])
