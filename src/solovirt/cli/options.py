"""The options that every command takes, and the parser that each command adds its own to."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from solovirt.cli.context import Context
from solovirt.cli.endpoint import Credentials


class Help(argparse.RawDescriptionHelpFormatter):
    """argparse makes one of these for every argument; its own way to ask for the width imports bz2 and lzma: 3 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=width() - 2)


def width() -> int:
    """COLUMNS, the terminal's, or 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 20:
        return int(given)
    try:
        return max(os.get_terminal_size(1).columns, 40)
    except OSError:
        return 80


class Parser(argparse.ArgumentParser):
    """A wrong call is told in two lines; the screen of options is for who asks for it."""

    def error(self, message: str) -> NoReturn:
        message = message.replace("choose from '', ", "choose from ")
        print(f"{self.prog}: {message}\n`{self.prog} --help` shows what it takes", file=sys.stderr)
        sys.exit(2)


def build_parser(verb: str, summary: str) -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"solovirt {verb}",
        description=summary[0].upper() + summary[1:] + ".",
        formatter_class=Help,
        allow_abbrev=False,
    )
    shared = parser.add_argument_group("options of every command")
    shared.add_argument("-n", "--namespace", default="", metavar="NAME", help='namespace (default: "default")')
    shared.add_argument("-A", "--all-namespaces", action="store_true", help="all namespaces")
    shared.add_argument("--server", default="", metavar="URL", help="API server instead of the local daemon")
    shared.add_argument("--context", default="", metavar="NAME", help="context of the kubeconfig in KUBECONFIG")
    shared.add_argument("--token", default="", metavar="TOKEN", help="bearer token for a remote server")
    shared.add_argument("--certificate-authority", default="", metavar="FILE", help="CA certificates to trust")
    shared.add_argument("--client-certificate", default="", metavar="FILE", help="our own certificate")
    shared.add_argument("--client-key", default="", metavar="FILE", help="its key (default: in the same file)")
    shared.add_argument("--insecure-skip-tls-verify", action="store_true", help="trust any server: for tests only")
    return parser


def fill_context(args: argparse.Namespace) -> Context:
    context = Context()
    context.server = args.server or context.server
    context.kube_context = args.context
    context.credentials = Credentials(
        token=args.token,
        ca_file=args.certificate_authority,
        certificate=args.client_certificate,
        key=args.client_key,
        insecure=args.insecure_skip_tls_verify,
    )
    context.namespace_option = args.namespace
    context.all_namespaces = args.all_namespaces
    return context
