from __future__ import annotations

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run


def test_table(api: FakeApi, run: Run) -> None:
    resource = {"name": "secrets", "kind": "Secret", "namespaced": True, "shortNames": ["s"]}
    api.on("GET", "/apis", Answer({"groups": []}))
    api.on("GET", "/api/v1", Answer({"resources": [resource, {"name": "secrets/x"}]}))  # type: ignore[dict-item]
    assert run("api-resources").out.splitlines()[1].split() == ["secrets", "s", "v1", "true", "Secret"]
