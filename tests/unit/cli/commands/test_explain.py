from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from solovirt.cli.commands.explain import placeholder_mac
from solovirt.cli.main import main
from solovirt.compile import explain as pages
from solovirt.compile.explain import Explanation, Part, Row, Why
from solovirt.kit.json import to_object
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

EXAMPLE = str(Path(__file__).resolve().parents[4] / "examples/hello.yaml")
RECORDED = ("--facts", "qemu-7.2")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOVIRT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SOLOVIRT_RUNTIME_DIR", str(tmp_path / "run"))


def test_a_file_needs_no_daemon_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-f", EXAMPLE, *RECORDED]) == 0
    out = capsys.readouterr().out
    assert "hello.yaml:15 spec.template.spec.domain.cpu.cores" in out
    assert list(tmp_path.iterdir()) == []


def test_the_answer_is_always_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    texts = set()
    for _ in range(2):
        assert main(["explain", "-f", EXAMPLE, "-o", "argv", *RECORDED]) == 0
        texts.add(capsys.readouterr().out)
    (text,) = texts
    words = shlex.split(text)
    assert words[0].endswith("qemu-system-x86_64")
    assert "guest=default_hello,debug-threads=on" in words


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-f", EXAMPLE, "-o", "json", *RECORDED]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert all(row["why"]["text"] for row in rows)


def test_a_vm_is_asked_of_the_server(api: FakeApi, run: Run) -> None:
    row = Row("-smp", Why("manifest", "two"), "cpus=2", (Part("cpus=2", Why("manifest", "two")),))
    explanation = Explanation("/usr/bin/qemu", (row,))
    path = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachines/a/explain"
    api.on("GET", path, Answer(to_object(explanation)))
    assert run("explain", "vm", "a").out == pages.table(explanation)


def test_a_page_shows_the_file_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "-f", EXAMPLE, "-o", "html", *RECORDED]) == 0
    out = capsys.readouterr().out
    assert out.startswith("<!DOCTYPE html>")
    assert "# A first virtual machine" in out
    assert "hello.yaml:15 spec.template.spec.domain.cpu.cores" in out


def test_a_page_of_a_stored_vm_has_it_as_yaml(api: FakeApi, run: Run) -> None:
    why = Why("manifest", "two", "spec.template.spec.domain.cpu.cores")
    row = Row("-smp", why, "cpus=2", (Part("cpus=2", why),))
    base = "namespaces/default/virtualmachines/a"
    stored = {
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"domain": {"cpu": {"cores": 2}}}}},
    }
    api.on(
        "GET",
        f"/apis/subresources.solovirt.io/v1/{base}/explain",
        Answer(to_object(Explanation("/usr/bin/qemu", (row,)))),
    )
    api.on("GET", f"/apis/kubevirt.io/v1/{base}", Answer(to_object(stored)))
    out = run("explain", "vm", "a", "-o", "html").out
    assert 'data-place="virtualmachine/a:8 spec.template.spec.domain.cpu.cores"' in out
    assert "          cores: 2</code>" in out


def test_a_refusal_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "vm.yaml"
    file.write_text(Path(EXAMPLE).read_text().replace("bus: virtio", "bus: ide", 1))
    assert main(["explain", "-f", str(file), *RECORDED]) == 1
    assert f"{file}:22:15: spec.template.spec.domain.devices.disks[0]" in capsys.readouterr().err


def test_all_mistakes_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(EXAMPLE).read_text()
    file = tmp_path / "vm.yaml"
    file.write_text(text.replace("bus: virtio", "bus: ide").replace("guest: 256Mi", "guest: lots"))
    assert main(["explain", "-f", str(file), *RECORDED]) == 1
    err = capsys.readouterr().err
    assert "disks[0]" in err
    assert "disks[1]" in err
    assert "memory.guest" in err


def test_words(run: Run, tmp_path: Path) -> None:
    assert "takes -f FILE, or vm NAME" in run("explain").err
    (tmp_path / "s.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n")
    assert "no VirtualMachine" in run("explain", "-f", str(tmp_path / "s.yaml")).err


def test_placeholders_are_local_unicast() -> None:
    assert placeholder_mac("a") == placeholder_mac("a") != placeholder_mac("b")
    assert placeholder_mac("a").startswith("02:")


def test_values_of_an_instancetype_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "vm.yaml"
    file.write_text(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  name: a\nspec:\n  runStrategy: Always\n"
        "  instancetype:\n    name: u1.small\n  template:\n    spec:\n      domain:\n        devices: {}\n"
    )
    assert main(["explain", "-f", str(file), "-o", "json", *RECORDED]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    (memory,) = [row["why"] for row in rows if row["flag"] == "-m"]
    assert (memory["kind"], memory["path"], memory["line"]) == ("manifest", "spec.instancetype.name", 8)
    assert memory["text"].endswith("(instancetype u1.small)")


LITTLE = """\
apiVersion: kubevirt.io/v1alpha3
kind: VirtualMachine
metadata: {name: NAME}
spec:
  running: true
  template: {metadata: {app: x}, spec: {domain: {memory: {guest: 64Mi}, devices: {}}}}
---
"""


def test_each_machine_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "several.yaml"
    file.write_text(LITTLE.replace("NAME", "a") + LITTLE.replace("64Mi", "x") + LITTLE.replace("NAME", "b"))
    assert main(["explain", "-f", str(file), "-o", "argv", *RECORDED]) == 1
    shown = capsys.readouterr()
    assert "guest=default_a," in shown.out and "guest=default_b," in shown.out
    assert "memory.guest" in shown.err
    assert f'{file}: VirtualMachine "NAME" is refused:\nerror: ' in shown.err
    assert f'{file}:6:25: unknown field "spec.template.metadata.app"' in shown.err


def test_machines_of_other_programs_are_passed_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("apiVersion: example.com/v1\nkind: VirtualMachine\nmetadata: {name: a}\n")
    assert main(["explain", "-f", str(file), *RECORDED]) == 1
    assert "no VirtualMachine or VirtualMachineInstance in these files" in capsys.readouterr().err
    file.write_text(LITTLE.replace("v1alpha3", "v1alpha2"))
    assert main(["explain", "-f", str(file), *RECORDED]) == 1
    told = capsys.readouterr().err
    assert 'no matches for kind "VirtualMachine" in version "kubevirt.io/v1alpha2"' in told
    assert "VirtualMachine is served in kubevirt.io/v1, kubevirt.io/v1alpha3" in told


def test_a_template_of_openshift_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: t}\nobjects: []\n")
    assert main(["explain", "-f", str(file), *RECORDED]) == 1
    assert "oc process --local" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["VirtualMachine", "VirtualMachineInstance"])
def test_a_dump_of_one_being_deleted_is_checked_like_a_new_one(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dump.yaml"
    deleted = 'metadata: {name: a, deletionTimestamp: "2026-01-01T00:00:00Z"}'
    spec = "{domain: {memory: {guest: 64Mi}, machine: {type: none}, devices: {}}}"
    if kind == "VirtualMachine":
        spec = f"{{runStrategy: Always, template: {{spec: {spec}}}}}"
    file.write_text(f"apiVersion: kubevirt.io/v1\nkind: {kind}\n{deleted}\nspec: {spec}\n")
    assert main(["explain", "-f", str(file), *RECORDED]) == 1
    assert "machine.type is not supported: 'none'" in capsys.readouterr().err
