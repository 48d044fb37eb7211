from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from solovirt.cli.manifests import Manifest, placed, read, unknown_kind
from solovirt.kit.errors import BadRequest, Cause, Invalid

ONE = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: one\n"


def test_documents_lists_folders(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ONE + "---\n---\n" + ONE.replace("one", "two"))
    items = "".join("  " + line + "\n" for line in ("- " + ONE.replace("\n", "\n  ")).splitlines())
    (tmp_path / "b.yml").write_text("apiVersion: v1\nkind: List\nitems:\n" + items.replace("one", "three"))
    (tmp_path / "notes.txt").write_text("not a manifest: [")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/c.json").write_text('{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "four"}}')
    assert [m.name for m in read([str(tmp_path)])] == ["one", "two", "three"]
    assert [m.name for m in read([str(tmp_path)], recursive=True)] == ["one", "two", "three", "four"]


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(ONE.encode())))
    assert read(["-"])[0].source == "<stdin>"


def test_places_of_fields(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(ONE + "spec:\n  volumes:\n  - name: a\n  - name: b\n")
    (manifest,) = read([str(file)])
    assert manifest.place("spec.volumes[1].name") == f"{file}:8:5"
    assert manifest.place("spec.volumes[1].nothing.here").startswith(f"{file}:8:")
    assert manifest.place("nothing") == ""


def test_places_in_items_of_lists(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    item = "- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: one\n"
    file.write_text("apiVersion: v1\nkind: SecretList\nitems:\n" + item + item.replace("one", "two"))
    assert [m.place("metadata.name") for m in read([str(file)])] == [f"{file}:7:5", f"{file}:11:5"]


def test_errors_are_placed(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(ONE)
    (manifest,) = read([str(file)])
    one = placed(Invalid("is wrong", field="metadata.name"), manifest)
    assert one.message == f"{file}:4:3: metadata.name: is wrong"
    two = placed(Invalid("", causes=[Cause("R", "kind is wrong", "kind"), Cause("R", "no", "none")]), manifest)
    assert [cause.message for cause in two.causes] == [f"{file}:2:1: kind is wrong", "no"]
    assert placed(BadRequest("of no field"), manifest).message == "of no field"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: X\nmetadata: {name: a}\n", "apiVersion not set"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "kind not set"),
        ("apiVersion: v1\nkind: X\n", "metadata.name not set"),
        ("- 1\n", "a manifest is a mapping"),
        ("", "no objects"),
        ("apiVersion: v1\nkind: List\nitems: []\n", "no objects"),
        ("kind: List\nitems:\n- apiVersion: v1\n- 2\n", "bad.yaml:4:3: an item of a List is a mapping, not int"),
        ("kind: List\nitems:\n- {apiVersion: v1, kind: X}\n", "bad.yaml:3:3: metadata.name not set"),
        ("a: [1\n", r"bad.yaml:\d+:\d+"),
        ("a: 1\na: 2\n", r"bad.yaml:2:1.*a"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(BadRequest, match=message):
        read([str(file)])


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadRequest, match=r"'/nonexistent.yaml' cannot be read: No such file"):
        read(["/nonexistent.yaml"])


@pytest.mark.parametrize(
    ("version", "kind", "hint"),
    [
        ("v1", "Template", "a Template of OpenShift: `oc process --local -f FILE"),
        ("template.openshift.io/v1", "Template", "a Template of OpenShift"),
        ("example.com/v1", "Template", "`solovirt api-resources` lists the kinds"),
        ("kubevirt.io/v1", "VirtualMachinePool", "VirtualMachinePool is served in pool.kubevirt.io/v1"),
        ("batch/v1", "Job", "`solovirt api-resources` lists the kinds"),
    ],
)
def test_an_unknown_kind_says_where_to_go(version: str, kind: str, hint: str) -> None:
    error = unknown_kind(Manifest({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}}, "x.yaml", None))
    assert error.message == f'x.yaml: {kind} "a": no matches for kind "{kind}" in version "{version}"'
    assert error.hint.startswith(hint)
