from __future__ import annotations

import pytest

from solovirt.cli.context import Context
from solovirt.cli.endpoint import Endpoint


def test_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context()
    context.endpoint = Endpoint(unix="/x", namespace="from-kubeconfig")
    assert (context.namespace, context.scope) == ("from-kubeconfig", "from-kubeconfig")
    context.all_namespaces = True
    assert context.scope == ""
    context.namespace_option = "given"
    assert context.namespace == "given"


def test_server_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOVIRT_SERVER", "unix:///s")
    assert Context().endpoint.unix == "/s"
