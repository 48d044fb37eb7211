from __future__ import annotations

import pytest

from solovirt.cli.endpoint import Credentials
from solovirt.cli.options import build_parser, fill_context, width


def test_shared_options_reach_the_context() -> None:
    words = ["-n", "ns", "-A", "--server", "http://x", "--token", "t", "--insecure-skip-tls-verify", "--context", "c"]
    files = ["--certificate-authority", "ca", "--client-certificate", "cert", "--client-key", "key"]
    context = fill_context(build_parser("get", "list").parse_args([*words, *files]))
    assert (context.namespace_option, context.all_namespaces, context.server) == ("ns", True, "http://x")
    assert context.kube_context == "c"
    assert context.credentials == Credentials("t", "ca", "cert", "key", insecure=True)


def test_a_wrong_call_is_told_in_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    parser = build_parser("get", "list")
    parser.add_argument("-o", choices=("", "yaml"))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["-o", "x"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "solovirt get: argument -o: invalid choice: 'x' (choose from 'yaml')\n"
        "`solovirt get --help` shows what it takes\n"
    )


@pytest.mark.parametrize(("columns", "expected"), [("120", 120), ("3", 80), ("", 80), ("x", 80)])
def test_width(columns: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("os.get_terminal_size", lambda fd: (_ for _ in ()).throw(OSError()))
    assert width() == expected
