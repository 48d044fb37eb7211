from __future__ import annotations

import pytest

from solovirt.cli.main import COMMANDS
from solovirt.kit.jsontypes import JsonObject
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

NS = "/apis/kubevirt.io/v1/namespaces/default/"


def listed(*names: str) -> Answer:
    items: list[JsonObject] = [{"metadata": {"name": name}} for name in names]
    return Answer({"items": list(items)})


@pytest.fixture(autouse=True)
def _objects(api: FakeApi) -> None:
    api.on("GET", NS + "virtualmachines", listed("alpha", "beta"))
    api.on("GET", NS + "virtualmachineinstances", listed("alpha"))
    api.on("GET", NS.replace("default", "lab") + "virtualmachines", listed("other"))
    api.on("GET", "/api/v1/namespaces", listed("default", "lab"))
    api.on("GET", "/apis/subresources.solovirt.io/v1/images", Answer({"items": [{"reference": "quay.io/a:1"}]}))


def complete(run: Run, line: str) -> list[str]:
    """What is offered for a line whose last word is under the cursor, without descriptions."""
    result = run("__complete", "--", *line.split(" "))
    assert (result.code, result.err) == (0, "")
    return [found.split("\t")[0] for found in result.out.splitlines() if found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sta", ["start"]),
        ("-n lab un", ["unpause"]),
        ("get vmir", ["vmirs"]),
        ("get vm ", ["alpha", "beta"]),
        ("get vm alpha b", ["beta"]),
        ("get vm,vmi a", ["alpha"]),
        ("get vm/a", ["vm/alpha"]),
        ("-n lab get vm ", ["other"]),
        ("get vm -n lab ", ["other"]),
        ("get vm --namespace=lab ", ["other"]),
        ("get vm -n l", ["lab"]),
        ("get vm -o y", ["yaml"]),
        ("get vm --output=y", ["--output=yaml"]),
        ("get vm --no", ["--no-headers"]),
        ("get nosuch ", []),
        ("start b", ["beta"]),
        ("start beta ", []),
        ("console ", ["alpha"]),
        ("explain ", ["vm"]),
        ("explain vm ", ["alpha", "beta"]),
        ("apply -f ", [":files"]),
        ("apply --dry-run ", ["none", "server", "client"]),
        ("image ", ["build", "pull", "import", "ls", "rm"]),
        ("image rm quay.io/", ["quay.io/a:1"]),
        ("image build ", ["tiny", "debian"]),
        ("image import x/y ", [":files"]),
        ("daemon s", ["status", "stop"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("exec alpha -- ", [":files"]),
        ("frobnicate x ", []),
        ("guest fr", ["freeze", "freeze-status"]),
        ("guest -n lab tha", ["thaw"]),
        ("guest freeze ", ["alpha"]),
        ("guest freeze --time", ["--timeout"]),
        ("guest cp ", [":files"]),
        ("guest freeze alpha ", []),
        ("guest ssh-keys ", ["ls", "add", "rm"]),
        ("guest ssh-keys add ", ["alpha"]),
        ("guest ssh-keys add alpha ", [":files"]),
        ("guest set-password alpha --password-file ", [":files"]),
        ("guest shutdown alpha --mode r", ["reboot"]),
        ("guest exec alpha -- ", [":files"]),
        ("guest frobnicate ", []),
    ],
)
def test_candidates(run: Run, line: str, expected: list[str]) -> None:
    assert complete(run, line) == expected


def test_commands_with_what_they_do(run: Run) -> None:
    lines = run("__complete", "--", "").out.splitlines()
    assert lines == [f"{verb}\t{text}" for verb, (_, text) in COMMANDS.items() if not verb.startswith("_")]


@pytest.mark.parametrize("verb", COMMANDS)
def test_options_of_every_command(run: Run, verb: str) -> None:
    assert {"--help", "--namespace"} <= set(complete(run, f"{verb} --"))


def test_a_daemon_that_is_not_there_is_not_started(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOVIRT_SERVER", "")
    monkeypatch.setenv("SOLOVIRT_STATE_DIR", "/nonexistent/s")
    monkeypatch.setenv("SOLOVIRT_RUNTIME_DIR", "/nonexistent/r")
    assert complete(run, "get vm ") == []
