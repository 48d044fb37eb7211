"""The serial console and its log."""

from __future__ import annotations

from solovirt.compile.configurators import console
from tests.unit.compile.helpers import context, run


def attach(value: str) -> str:
    return f"domain: {{devices: {{autoattachSerialConsole: {value}}}}}"


def test_console() -> None:
    assert run(console.options) == run(console.options, attach("true"))
    assert run(console.options) == [
        "-chardev socket,id=charserial0,path=/run/solovirt/vmi/test/serial.sock,server=on,wait=off,"
        "logfile=/var/lib/solovirt/instances/test/serial.log,logappend=on",
        '-device {"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":0}',
    ]


def test_none() -> None:
    assert run(console.options, attach("false")) == []


def test_reasons() -> None:
    assert next(iter(console.options(context(attach("true"))))).why.kind == "manifest"
    assert next(iter(console.options(context()))).why.kind == "default"


def test_no_log_where_none_is_wanted() -> None:
    chardev, device = run(console.options, "domain: {devices: {logSerialConsole: false}}")
    assert "logfile" not in chardev and device == run(console.options)[1]
