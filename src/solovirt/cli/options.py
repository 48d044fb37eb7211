"""The options that every command takes, and the parser that each command adds its own to."""

from __future__ import annotations

import argparse

from solovirt.cli.context import Context


def build_parser(verb: str, summary: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"solovirt {verb}",
        description=summary[0].upper() + summary[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    shared = parser.add_argument_group("options of every command")
    shared.add_argument("-n", "--namespace", default="", metavar="NAME", help='namespace (default: "default")')
    shared.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces")
    shared.add_argument("--server", default="", metavar="URL", help="API server instead of the local daemon")
    shared.add_argument("--context", default="", metavar="NAME", help="context of the kubeconfig in KUBECONFIG")
    shared.add_argument("--token", default="", metavar="TOKEN", help="bearer token for --server")
    shared.add_argument("--certificate-authority", default="", metavar="FILE", help="CA certificates for --server")
    shared.add_argument("--insecure-skip-tls-verify", action="store_true", help="do not verify --server's certificate")
    return parser


def fill_context(args: argparse.Namespace) -> Context:
    context = Context()
    context.server = args.server or context.server
    context.kube_context = args.context
    context.token = args.token
    context.ca_file = args.certificate_authority
    context.insecure = args.insecure_skip_tls_verify
    context.namespace_option = args.namespace
    context.all_namespaces = args.all_namespaces
    return context
