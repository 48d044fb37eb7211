from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from solovirt.cli.main import main
from solovirt.compile.explain import Explanation, Row, Why
from solovirt.kit.json import to_object
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

EXAMPLE = str(Path(__file__).resolve().parents[4] / "examples/hello.yaml")
WHY = Why("default", "for the test")


def test_a_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "libvirt", "-f", EXAMPLE, "--facts", "qemu-7.2"]) == 0
    out, err = capsys.readouterr()
    root = ElementTree.fromstring(out)
    assert (root.tag, root.findtext("name"), root.findtext("memory")) == ("domain", "hello", "262144")
    assert "stop the VM before" in err


def test_the_machine_of_a_file_with_other_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kind = "apiVersion: instancetype.kubevirt.io/v1beta1\nkind: VirtualMachineInstancetype\nmetadata: {name: small}\n"
    file = tmp_path / "all.yaml"
    file.write_text(kind + "spec: {cpu: {guest: 1}, memory: {guest: 64Mi}}\n")
    assert main(["export", "libvirt", "-f", str(file), "--facts", "qemu-7.2"]) == 1
    assert "has 0 virtual machines, expected one" in capsys.readouterr().err
    machine = (
        Path(EXAMPLE)
        .read_text()
        .replace("  template:", "  instancetype: {kind: virtualmachineinstancetype, name: small}\n  template:")
    )
    machine = machine.replace("        cpu:\n          cores: 1\n        memory:\n          guest: 256Mi\n", "")
    file.write_text(file.read_text() + "---\n" + machine)
    assert main(["export", "libvirt", "-f", str(file), "--facts", "qemu-7.2"]) == 0
    assert ElementTree.fromstring(capsys.readouterr().out).findtext("memory") == "65536"


def test_a_vm(api: FakeApi, run: Run) -> None:
    rows = (Row("-m", WHY, "size=1048576k"), Row("-S", WHY))
    path = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachines/web/explain"
    api.on("GET", path, Answer(to_object(Explanation("/usr/bin/qemu", rows))))
    result = run("export", "libvirt", "web")
    assert result.code == 0
    root = ElementTree.fromstring(result.out)
    assert (root.findtext("name"), root.findtext("devices/emulator")) == ("web", "/usr/bin/qemu")


def test_wrong_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "libvirt"]) == 1
    assert "takes NAME, or -f FILE" in capsys.readouterr().err
