from __future__ import annotations

import subprocess
import sys

import pytest

from solovirt.cli.main import COMMANDS, GROUPS, main, report, split_verb
from solovirt.kit.errors import Cause, GuestError, HostError, Invalid
from tests.support.apiserver import FakeApi, status
from tests.unit.cli.conftest import Run


def test_no_words_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all((f"  {verb} " in out) != verb.startswith("_") for verb in COMMANDS)


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["help", "get"])
    assert caught.value.code == 0
    assert "usage: solovirt get" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["-n"], ["-n", "x"], ["-A"]])
def test_options_without_a_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "no command given" in capsys.readouterr().err


def test_an_unknown_verb_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aply"]) == 2
    assert "unknown command 'aply'; did you mean 'apply'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb not in GROUPS])
def test_every_command_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert f"usage: solovirt {verb}" in capsys.readouterr().out


def test_options_may_stand_before_the_verb() -> None:
    assert split_verb(["-n", "x", "get", "vm"]) == (["-n", "x"], "get", ["vm"])
    assert split_verb(["--server=http://x", "-A", "get"]) == (["--server=http://x", "-A"], "get", [])
    assert split_verb(["--version"])[1] == "version"


def test_errors_of_the_server(api: FakeApi, run: Run) -> None:
    path = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines/x"
    api.on("GET", path, status(404, "NotFound", 'virtualmachines.kubevirt.io "x" not found'))
    result = run("get", "vm", "x")
    assert result.code == 1
    assert result.err == 'Error from server (NotFound): virtualmachines.kubevirt.io "x" not found\n'


def test_our_own_errors_say_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    report(HostError("skopeo is missing", hint="apt install skopeo"))
    assert capsys.readouterr().err == "error: skopeo is missing\n  apt install skopeo\n"


def test_every_cause_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    report(Invalid("x is invalid: a, b", causes=[Cause("R", "a", "spec.a"), Cause("R", "b", "spec.b")]))
    assert capsys.readouterr().err == "error: 2 things are wrong:\n  * spec.a: a\n  * spec.b: b\n"


def test_get_imports_nothing_heavy() -> None:
    code = (
        "import sys; from solovirt.cli import main, client, endpoint, output, kinds, context, options; "
        "import solovirt.cli.commands.get; "
        "options.build_parser('get', 'x').add_argument('--x', metavar='X'); "
        "heavy = 'msgspec asyncio yaml ssl http.client dataclasses pathlib subprocess websockets urllib.parse shutil'; "
        "print([m for m in heavy.split() if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_nothing_in_a_message_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report(GuestError("the guest\x1b[2J said\x9b31m\nmore", reason="x", hint="do\x07 this\u202e"))
    said = capsys.readouterr().err
    assert said == "error: the guest [2J said 31m\nmore\n  do  this \n"
