from pathlib import Path

from solovirt.hypervisor import helpers, lock


def test_names_are_those_of_locks(tmp_path: Path) -> None:
    for name in (lock.NAME, "swtpm.lock", "virtiofsd-a.lock", "swtpm.log", "x.qcow2"):
        (tmp_path / name).touch()
    assert helpers.names(tmp_path) == ["swtpm", "virtiofsd-a"]
    assert helpers.names(tmp_path / "none") == []


async def test_nothing_to_kill(tmp_path: Path) -> None:
    (tmp_path / "swtpm.lock").touch()
    assert await helpers.kill_all(tmp_path) == []
    assert helpers.names(tmp_path) == [], "its end needs not be told any more"


async def test_one_that_died_while_nobody_was_there_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "swtpm.lock").touch()
    (tmp_path / "swtpm.log").write_bytes(b"first\nlast \x1b[31mwords\n")
    told: list[str] = []
    found = helpers.HelperSet(tmp_path, told.append, lambda: True)
    await found.find()
    assert told == [], "not before somebody may ask which helpers there are"
    found.watch()
    await found.find()
    found.watch()
    assert len(told) == 1
    assert told[0].startswith("swtpm ended while no daemon was there: first | last") and "\x1b" not in told[0]
    await found.release()
