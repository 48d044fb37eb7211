import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from solovirt.host.tiny import debs
from solovirt.host.tiny.debs import Archive, Package
from solovirt.kit.errors import HostError

SHOWN = """Package: qemu-guest-agent
Source: qemu
Version: 1:7.2-1
Depends: libc6 (>= 2.36), libglib2.0-0 (>= 2.74.0) | libother, lsb-base
Description-en: an agent
 Version: not a field
Size: 346272

Package: libc6
Version: 2.36-9
Depends: libgcc-s1
Size: 100

Package: libglib2.0-0
Version: 2.74
Depends: libc6
Pre-Depends: libpre:any
Size: 5

Package: libgcc-s1
Version: 12

Package: libpre
Version: 1
"""


class Apt:
    """Stands for apt-get and apt-cache: ``known`` packages; lists may need a refresh first."""

    def __init__(self, *, stale: bool = False, offline: bool = False) -> None:
        self.calls: list[list[str]] = []
        self.stale = stale
        self.offline = offline

    def __call__(self, command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        call = [Path(command[0]).name, *command[1:]]
        self.calls.append(call)
        if "update" in call:
            self.stale = self.stale and self.offline
            failed = self.offline
            return subprocess.CompletedProcess(call, 100 if failed else 0, "", "W: slow\nE: no route to host\n")
        if "show" in call:
            wanted = call[call.index("--no-all-versions") + 1 :]
            stanzas = [] if self.stale else [s for s in SHOWN.split("\n\n") if s.split("\n")[0][9:] in wanted]
            return subprocess.CompletedProcess(call, 0, "\n\n".join(stanzas), "")
        return subprocess.CompletedProcess(call, 100 if self.offline else 0, "", "E: 404  Not Found\n")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Apt], tuple[Archive, list[str]]]:
    def make(apt: Apt) -> tuple[Archive, list[str]]:
        lines: list[str] = []
        monkeypatch.setattr(debs, "run", apt)
        monkeypatch.setattr(debs.packages, "require", lambda tool, needed_for="": Path("/usr/bin") / tool)
        return Archive(tmp_path / "apt", progress=lines.append), lines

    return make


def test_stanzas_become_packages() -> None:
    agent, *_ = debs.parse(SHOWN)

    assert agent == Package("qemu-guest-agent", "1:7.2-1", ("libc6", "libglib2.0-0", "lsb-base"), 346272)
    assert debs.parse("") == []


def test_pre_depends_count_as_depends() -> None:
    assert debs.parse(SHOWN)[2].depends == ("libpre", "libc6")


def test_the_closure_follows_only_what_it_is_told_to(make: Callable[[Apt], tuple[Archive, list[str]]]) -> None:
    archive, _ = make(Apt())

    found = archive.closure(["qemu-guest-agent"], lambda name: name.startswith("lib"))

    assert sorted(found) == ["libc6", "libgcc-s1", "libglib2.0-0", "libpre", "qemu-guest-agent"]


def test_missing_lists_are_fetched_into_a_private_place(
    make: Callable[[Apt], tuple[Archive, list[str]]], tmp_path: Path
) -> None:
    apt = Apt(stale=True)
    archive, lines = make(apt)

    assert archive.show(["libc6"])["libc6"].version == "2.36-9"
    assert lines == ["fetching package lists"]
    assert f"Dir::State={tmp_path}/apt/state/" in apt.calls[-1]
    assert (tmp_path / "apt/state/lists/partial").is_dir()


def test_an_unknown_package_is_named(make: Callable[[Apt], tuple[Archive, list[str]]]) -> None:
    archive, _ = make(Apt())

    with pytest.raises(HostError, match="apt knows no package linux-image-cloud-amd64"):
        archive.show(["libc6", "linux-image-cloud-amd64"])


def test_apt_s_error_is_told_when_lists_cannot_be_fetched(make: Callable[[Apt], tuple[Archive, list[str]]]) -> None:
    archive, _ = make(Apt(stale=True, offline=True))

    with pytest.raises(HostError, match="package lists cannot be fetched: E: no route to host"):
        archive.show(["libc6"])


def test_packages_are_fetched_in_the_version_that_was_shown(
    make: Callable[[Apt], tuple[Archive, list[str]]], tmp_path: Path
) -> None:
    apt = Apt()
    archive, _ = make(apt)
    (tmp_path / "b.deb").touch()
    (tmp_path / "a.deb").touch()

    found = archive.download([Package("libc6", "2.36-9", (), 1)], tmp_path)

    assert apt.calls == [["apt-get", "download", "libc6=2.36-9"]]
    assert [path.name for path in found] == ["a.deb", "b.deb"]


def test_a_failed_program_is_an_error_with_its_last_words() -> None:
    with pytest.raises(HostError, match="sh failed: E: bad thing"):
        debs.run(["/bin/sh", "-c", "echo noise >&2; echo 'E: bad thing' >&2; exit 3"])


def test_programs_speak_c_and_read_nothing() -> None:
    assert debs.run(["/bin/sh", "-c", 'read x; echo "$LC_ALL$x"']).stdout == "C\n"
