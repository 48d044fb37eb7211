from __future__ import annotations

from solovirt.cli.options import build_parser, fill_context


def test_shared_options_reach_the_context() -> None:
    words = ["-n", "ns", "-A", "--server", "http://x", "--token", "t", "--insecure-skip-tls-verify", "--context", "c"]
    context = fill_context(build_parser("get", "list").parse_args(words))
    assert (context.namespace_option, context.all_namespaces, context.server) == ("ns", True, "http://x")
    assert (context.token, context.insecure, context.kube_context) == ("t", True, "c")
