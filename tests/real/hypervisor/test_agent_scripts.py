"""The scripts that the agent runs in guests, run here by this host's shell, and by busybox's where there is one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.hypervisor import agent_copy, agent_exec
from solovirt.hypervisor.agent import GuestAgent
from solovirt.kit.aio import poll
from solovirt.kit.errors import BadRequest, GuestError, NotFound
from solovirt.kit.json import Json, JsonObject, get_list, get_str
from tests.support.memoryagent import nowhere

pytestmark = pytest.mark.real

SHELLS = [pytest.param(["/bin/sh"], id="sh"), pytest.param(["bash", "--posix"], id="bash")]
if shutil.which("busybox"):
    SHELLS.append(pytest.param(["busybox", "sh"], id="busybox"))


class LocalAgent(GuestAgent):
    """guest-exec, done by this host."""

    def __init__(self, shell: list[str]) -> None:
        super().__init__(nowhere)
        self.set_connected(True)
        self.shell = shell
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 10) -> Json:
        assert arguments is not None
        if name == "guest-exec-status":
            pid = arguments["pid"]
            assert isinstance(pid, int)
            child = self.running[pid]
            if child.poll() is None:
                return {"exited": False}
            out, err = child.communicate()
            ended: JsonObject = (
                {"signal": -child.returncode} if child.returncode < 0 else {"exitcode": child.returncode}
            )
            encoded = [base64.b64encode(data).decode() for data in (out, err)]
            return {"exited": True, **ended, "out-data": encoded[0], "err-data": encoded[1]}
        words = [str(word) for word in get_list(arguments, "arg")]
        env = dict(str(pair).split("=", 1) for pair in get_list(arguments, "env")) or None
        stdin = subprocess.PIPE if "input-data" in arguments else subprocess.DEVNULL
        child = self._spawn(words, stdin, env)
        if child.stdin is not None:
            child.stdin.write(base64.b64decode(get_str(arguments, "input-data")))
            child.stdin.close()
            child.stdin = None
        self.running[child.pid] = child
        return {"pid": child.pid}

    def _spawn(self, words: list[str], stdin: int, env: dict[str, str] | None) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen([*self.shell, *words], stdin=stdin, stdout=pipe, stderr=pipe, env=env)


@pytest.fixture(params=SHELLS)
def agent(request: pytest.FixtureRequest) -> Iterator[LocalAgent]:
    made = LocalAgent(request.param)
    yield made
    for child in made.running.values():
        child.kill()
        child.communicate()


async def run(agent: LocalAgent, folder: Path, *command: str, **more: object) -> tuple[int, bytes, bytes]:
    pid = await agent_exec.start(agent, str(folder), command, **more)  # type: ignore[arg-type]
    while (code := await agent_exec.ended(agent, pid)) is None:
        await asyncio.sleep(0.01)
    return code, (folder / "out").read_bytes(), (folder / "err").read_bytes()


async def test_programs(agent: LocalAgent, tmp_path: Path) -> None:
    code, out, err = await run(agent, tmp_path / "a", "sh", "-c", 'echo "$1"; echo e >&2; exit 3', "sh", "a  b'$(x)\n")
    assert (code, out, err) == (3, b"a  b'$(x)\n\n", b"e\n")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert await agent_exec.states(agent, [str(tmp_path / "a"), str(tmp_path / "none")]) == ["3", "gone"]
    assert (await run(agent, tmp_path / "b", "no-such-program"))[0] == 127
    assert (await run(agent, tmp_path / "c", "sh", "-c", "kill -9 $$"))[0] == 137
    assert (await run(agent, tmp_path / "d", "sh", "-c", "exit 125"))[0] == 125
    assert (await run(agent, tmp_path / "e", "wc", "-c", input_data=b"12345"))[1].strip() == b"5"
    assert (await run(agent, tmp_path / "f", "wc", "-c"))[1].strip() == b"0"
    code, out, _ = await run(agent, tmp_path / "g", "sh", "-c", 'echo "$A:$PATH:$HOME"', env=["A=x y"])
    assert out.startswith(b"x y:/") and out.endswith(b":\n"), "PATH alone is provided"


async def test_a_directory_that_is_there_is_nobodys(agent: LocalAgent, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("real", "link"):
        with pytest.raises(GuestError, match="could not start the command"):
            await run(agent, tmp_path / name, "true")
    assert list((tmp_path / "real").iterdir()) == []


async def test_stdin_from_a_file(agent: LocalAgent, tmp_path: Path) -> None:
    await agent_exec.prepare(agent, str(tmp_path / "a"))
    (tmp_path / "a" / "in").write_bytes(b"y" * 100_000)
    code, out, _ = await run(agent, tmp_path / "a", "wc", "-c", prepared=True)
    assert (code, out.strip()) == (0, b"100000")
    assert not (tmp_path / "a" / "in").exists()
    with pytest.raises(GuestError, match="cannot make a directory"):
        await agent_exec.prepare(agent, str(tmp_path / "a"))


async def test_ending_one_with_its_children(agent: LocalAgent, tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    script = "sleep 777.25 & echo $! > \"$1\"; trap '' TERM; sleep 777.5; sleep 777.75"
    await agent_exec.start(agent, folder, ["sh", "-c", script, "sh", str(tmp_path / "pid")])
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().endswith("\n"):
        await asyncio.sleep(0.01)
    child = int((tmp_path / "pid").read_text())
    assert await agent_exec.states(agent, [folder]) == ["running"]
    began = time.monotonic()
    await agent_exec.terminate(agent, folder)
    assert time.monotonic() - began < 60

    async def over() -> bool:
        return await agent_exec.states(agent, [folder]) == ["137"]

    async def dead() -> bool:
        try:
            return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    assert await poll(over, 60) and await poll(dead, 60)
    assert not await agent_exec.signal(agent, folder, "TERM")
    (Path(folder) / "code").unlink()
    assert await agent_exec.states(agent, [folder]) == ["lost"]
    (Path(folder) / "pid").write_text(f"{os.getpid()} another-boot\n")
    assert await agent_exec.states(agent, [folder]) == ["lost"]
    assert not await agent_exec.signal(agent, folder, "KILL"), "a process id of another boot is nobody's"
    await agent_exec.remove(agent, [folder])
    assert await agent_exec.states(agent, [folder]) == ["gone"]


async def test_looking_at_files(agent: LocalAgent, tmp_path: Path) -> None:
    strange = tmp_path / "-a 'b' $(c)"
    strange.write_bytes(b"abc")
    strange.chmod(0o640)
    found = await agent_copy.look(agent, str(strange))
    assert (found.size, found.mode, found.sha256) == (3, 0o640, hashlib.sha256(b"abc").hexdigest())
    (tmp_path / "link").symlink_to(strange)
    assert await agent_copy.look(agent, str(tmp_path / "link")) == found
    os.mkfifo(tmp_path / "fifo")
    for path, kind, said in (
        (tmp_path / "nope", NotFound, "no such file"),
        (tmp_path, BadRequest, "is a directory"),
        (tmp_path / "fifo", BadRequest, "no regular file"),
        (Path("/dev/null"), BadRequest, "no regular file"),
    ):
        with pytest.raises(kind, match=said):
            await agent_copy.look(agent, str(path))


async def test_a_file_is_put_in_place(agent: LocalAgent, tmp_path: Path) -> None:
    place, partial = tmp_path / "-x y", tmp_path / ".x.partial"
    place.write_bytes(b"old")
    await agent_copy.begin(agent, str(place), str(partial))
    assert partial.stat().st_mode & 0o777 == 0o600
    partial.write_bytes(b"new")
    digest = hashlib.sha256(b"new").hexdigest()
    with pytest.raises(GuestError) as caught:
        await agent_copy.finish(agent, str(place), str(partial), sha256="0" * 64, size=3, mode=0o755)
    assert caught.value.reason == "ChecksumMismatch"
    assert place.read_bytes() == b"old"
    assert await agent_copy.finish(agent, str(place), str(partial), sha256=digest, size=3, mode=0o755)
    assert (place.read_bytes(), place.stat().st_mode & 0o777, partial.exists()) == (b"new", 0o755, False)


async def test_places_where_no_file_can_go(agent: LocalAgent, tmp_path: Path) -> None:
    partial = tmp_path / "p"
    partial.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GuestError):
        await agent_copy.begin(agent, str(tmp_path / "x"), str(partial))
    assert not (tmp_path / "elsewhere").exists(), "no link is followed"
    with pytest.raises(BadRequest, match="is a directory"):
        await agent_copy.begin(agent, str(tmp_path), str(tmp_path / "q"))
    with pytest.raises(NotFound, match="directory does not exist"):
        await agent_copy.begin(agent, str(tmp_path / "no" / "x"), str(tmp_path / "no" / "q"))
    await agent_copy.discard(agent, str(partial))
    assert not partial.is_symlink()
