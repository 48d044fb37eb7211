from __future__ import annotations

import json

import pytest

from solovirt.kit.jsontypes import Json
from tests.support.agentreplies import WINDOWS
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


@pytest.fixture
def guest(api: FakeApi) -> Guest:
    return Guest(api, WINDOWS)


def test_info(guest: Guest, run: Run) -> None:
    assert run("guest", "info", "hello").out.splitlines() == [
        "qemu-guest-agent 107.0.1, 3 commands, 1 of them off",
        "",
        "COMMAND                ENABLED   ANSWERS-SUCCESS",
        "guest-get-devices      yes       yes",
        "guest-get-osinfo       yes       yes",
        "guest-suspend-hybrid   no        no",
    ]
    shown = json.loads(run("guest", "info", "hello", "-o", "json").out)
    assert shown["supported_commands"][0]["name"] == "guest-get-devices"


def test_osinfo(guest: Guest, run: Run) -> None:
    lines = run("guest", "osinfo", "hello").out.splitlines()
    assert lines[0] == "Name:            Windows Server 2019 Datacenter"
    assert "Kernel:          17763" in lines
    assert (
        json.loads(run("guest", "osinfo", "hello", "-o", "json").out)
        == json.loads(WINDOWS["guest-get-osinfo"])["return"]
    )
    guest.says("guest-get-osinfo", {"id": "tiny"})
    assert run("guest", "osinfo", "hello").out == "Id:  tiny\n"


def test_hostname_and_zone(guest: Guest, run: Run) -> None:
    assert run("guest", "hostname", "hello").out == "WIN-3UOJPM7TO5H\n"
    assert run("guest", "tz", "hello").out == "W. Europe Summer Time (UTC+02:00)\n"
    for offset, text in ((-12600, "-03:30"), (0, "+00:00"), (20700, "+05:45")):
        guest.says("guest-get-timezone", {"offset": offset})
        assert run("guest", "tz", "hello").out == f"? (UTC{text})\n"
    assert run("guest", "tz", "hello", "-o", "yaml").out == "offset: 20700\n"


def test_users(guest: Guest, run: Run) -> None:
    header, row = run("guest", "users", "hello").out.splitlines()
    assert header.split() == ["USER", "DOMAIN", "LOGIN"]
    assert row.split() == ["Administrator", "WIN-3UOJPM7TO5H", "2024-06-10T09:39:05Z"]
    guest.says("guest-get-users", [{"user": "root", "login-time": 1e300}, {"user": "x", "login-time": True}])
    assert [line.split() for line in run("guest", "users", "hello").out.splitlines()[1:]] == [["root", "?"], ["x"]]


def test_what_the_agent_lacks(guest: Guest, run: Run) -> None:
    guest.replies.clear()
    done = run("guest", "osinfo", "hello")
    assert (done.code, done.out) == (1, "")
    assert "Error from server (CommandNotFound): guest-get-osinfo: " in done.err


@pytest.mark.parametrize("reply", [[], "x", 5, None, True])
@pytest.mark.parametrize("verb", ["info", "osinfo", "hostname", "tz"])
def test_hostile_replies(guest: Guest, run: Run, verb: str, reply: Json) -> None:
    guest.replies = dict.fromkeys(guest.replies, json.dumps({"return": reply}).encode())
    done = run("guest", verb, "hello")
    assert (done.code, done.out) == (1, "") and "the guest agent's reply is not an object" in done.err
