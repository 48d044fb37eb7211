from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.cli import threeway
from solovirt.kit.jsontypes import JsonObject
from tests.support.apiserver import Answer, FakeApi, Request, status
from tests.unit.cli.conftest import Run

MAPS = "/api/v1/namespaces/default/configmaps"
TEXT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    return path


def echo(request: Request) -> Answer:
    assert isinstance(request.body, dict)
    return Answer(request.body, 201)


LIVE: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": "u"}, "data": {"k": "v"}}


def test_create_through_apply(api: FakeApi, run: Run, manifest: Path) -> None:
    api.on("POST", MAPS, echo)
    assert run("apply", "-f", str(manifest)).out == "configmap/a created\n"
    posted = api.requests[-1]
    assert posted.query == {"fieldManager": "solovirt-apply", "fieldValidation": "Strict"}
    assert isinstance(posted.body, dict)
    assert threeway.last_applied(posted.body)["data"] == {"k": "v"}


def test_apply_again_changes_nothing(api: FakeApi, run: Run, manifest: Path) -> None:
    live = threeway.with_annotation(LIVE)
    live = {**live, "metadata": {**live["metadata"], "annotations": {threeway.ANNOTATION: "{}"}}}  # type: ignore[dict-item]
    api.on("GET", MAPS + "/a", Answer(live))
    api.on("PATCH", MAPS + "/a", Answer({**live, "metadata": {**live["metadata"], "resourceVersion": "9"}}))  # type: ignore[dict-item]
    assert run("apply", "-f", str(manifest)).out == "configmap/a unchanged\n"


def test_a_change_is_a_merge_patch(api: FakeApi, run: Run, manifest: Path) -> None:
    api.on("GET", MAPS + "/a", Answer(threeway.with_annotation({**LIVE, "data": {"k": "old", "gone": "x"}})))
    api.on("PATCH", MAPS + "/a", Answer({**LIVE, "data": {"k": "v"}}))
    assert run("apply", "-f", str(manifest), "--dry-run=server").out == "configmap/a configured (server dry run)\n"
    patch = api.requests[-1]
    assert isinstance(patch.body, dict)
    assert patch.body["data"] == {"k": "v", "gone": None}
    assert (patch.query["dryRun"], patch.headers["content-type"]) == ("All", "application/merge-patch+json")


def test_create_fails_where_the_object_is(api: FakeApi, run: Run, manifest: Path) -> None:
    api.on("POST", MAPS, status(409, "AlreadyExists", 'configmaps "a" already exists'))
    result = run("create", "-f", str(manifest))
    assert (result.code, result.err) == (1, 'Error from server (AlreadyExists): configmaps "a" already exists\n')


def test_causes_get_their_lines(api: FakeApi, run: Run, manifest: Path) -> None:
    causes: list[JsonObject] = [
        {"reason": "FieldValueInvalid", "message": "bad", "field": "data.k"},
        {"reason": "FieldValueRequired", "message": "missing", "field": "elsewhere"},
    ]
    api.on("POST", MAPS, status(422, "Invalid", "ConfigMap a is invalid: bad, missing", [*causes]))
    err = run("apply", "-f", str(manifest)).err
    assert f"{manifest}:6:3: data.k: bad" in err
    assert "* elsewhere: missing" in err


def test_unknown_fields_are_found_before_anything_is_sent(api: FakeApi, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(TEXT + "dada: {}\nbinaryDat: {}\n")
    result = run("apply", "-f", str(file))
    assert result.code == 1
    assert f"{file}:7:1" in result.err
    assert f"{file}:8:1" in result.err
    assert not api.requests


def test_dry_run_client_asks_nothing(api: FakeApi, run: Run, manifest: Path) -> None:
    assert run("apply", "-f", str(manifest), "--dry-run=client").out == "configmap/a created (dry run)\n"
    assert not api.requests


def test_namespaces_must_agree(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(TEXT.replace("name: a", "name: a\n  namespace: one"))
    assert "does not match the namespace 'two'" in run("apply", "-f", str(file), "-n", "two").err


def test_kinds_that_are_not_here_are_named_and_the_others_applied(api: FakeApi, run: Run, tmp_path: Path) -> None:
    api.on("POST", MAPS, echo)
    file = tmp_path / "x.yaml"
    beside = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n---\n"
    file.write_text(beside + TEXT + "---\n" + beside.replace("batch/v1", "v1").replace("Job", "Service")[:-4])
    result = run("apply", "-f", str(file))
    assert (result.code, result.out) == (1, "configmap/a created\n")
    assert f'{file}:2:1: Job "j": no matches for kind "Job" in version "batch/v1"' in result.err
    assert 'Service "j": no matches for kind "Service" in version "v1"' in result.err
