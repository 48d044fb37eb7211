from __future__ import annotations

import io
from pathlib import Path

import pytest

from solovirt.api.decode import decode
from solovirt.api.registry import VIRTUAL_MACHINES
from solovirt.cli.main import main
from solovirt.kit import yaml

XML = "<domain><name>web</name><memory unit='GiB'>1</memory><features><acpi/></features><seclabel/><vendor/></domain>"


def test_a_command_line_behind_two_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--name", "box", "--", "qemu-system-x86_64", "-m", "2G", "-vga", "qxl"]) == 0
    out, err = capsys.readouterr()
    vm = decode(VIRTUAL_MACHINES, yaml.load_all(out)[0].value).object
    assert (vm.metadata.name, vm.spec.run_strategy) == ("box", "Halted")
    assert vm.spec.template.spec.domain.memory is not None
    assert vm.spec.template.spec.domain.memory.guest == "2Gi"
    assert err.startswith("not carried over: -vga qxl\n")


def test_a_domain_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web.xml"
    file.write_text(XML)
    assert main(["import", str(file), "-o", "json"]) == 0
    out, err = capsys.readouterr()
    assert '"name": "web"' in out
    assert "not carried over: <vendor>" in err


def test_a_script_on_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    script = b"#!/bin/sh\nexec qemu-system-x86_64 \\\n  -name web -m 1G\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(script)))
    assert main(["import", "-"]) == 0
    assert "name: web" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello there", "neither a libvirt domain nor"),
        (b"\xff\xfe", "is no text"),
        (b"<domain", "not well-formed XML: line 1"),
        (b"x" * (1 << 21), "is longer than"),
    ],
)
def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, text: str) -> None:
    file = tmp_path / "it"
    file.write_bytes(content)
    assert main(["import", str(file)]) == 1
    assert text in capsys.readouterr().err


def test_wrong_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import"]) == 1
    assert main(["import", str(tmp_path / "none")]) == 1
    assert main(["import", "--name", "A_b", "--", "qemu", "-S"]) == 1
    err = capsys.readouterr().err
    assert "takes a FILE" in err and "No such file" in err and "--name 'A_b'" in err


def test_nothing_of_a_hostile_file_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--", "qemu", "-vga", "\x1b[31mred"]) == 0
    assert "\x1b" not in capsys.readouterr().err
