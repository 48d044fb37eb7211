import os
from pathlib import Path

import pytest

from solovirt.hypervisor import confine


def test_arguments() -> None:
    options, program = confine.parse(["--share", "/a b", "--read-only", "--ids", "5:6", "--", "/bin/x", "--", "y"])
    assert (options.share, options.read_only, options.ids) == ("/a b", True, "5:6")
    assert program == ["/bin/x", "--", "y"]


@pytest.mark.parametrize("words", [[], ["--share", "/a"], ["--share", "/a", "--"], ["--", "/bin/x"]])
def test_arguments_that_do_not_do(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        confine.parse(words)
    assert "usage" in capsys.readouterr().err


def test_subordinate_ids(tmp_path: Path) -> None:
    table = tmp_path / "subuid"
    table.write_text("other:1:2\nbroken\nme:100000:65536\n1000:7:8\n")
    assert confine.subordinate(str(table), "me", 5) == (100000, 65536)
    assert confine.subordinate(str(table), "unknown", 1000) == (7, 8)
    assert confine.subordinate(str(table), "unknown", 5) is None


def test_ids_that_cannot_be_mapped(tmp_path: Path) -> None:
    """This process is in no user namespace of ours: its map is written already, or is not ours to write."""
    assert not confine.map_ids(os.getpid(), os.getuid(), os.getgid(), "1:nonsense")
    assert not confine.map_ids(2**30, os.getuid(), os.getgid(), "1:2")
