"""What every command gets: the options that all commands share, the API client, and the terminal."""

from __future__ import annotations

import os
import sys
from functools import cached_property

from solovirt.cli.client import Client
from solovirt.cli.endpoint import Credentials, Endpoint, choose


class Context:
    """Global options after parsing. The endpoint is chosen, and a daemon started, only when a command asks for it."""

    def __init__(self) -> None:
        self.server = os.environ.get("SOLOVIRT_SERVER", "")
        self.kube_context = ""
        self.credentials = Credentials()
        self.namespace_option = ""
        self.all_namespaces = False

    @cached_property
    def endpoint(self) -> Endpoint:
        return choose(self.server, self.kube_context, self.credentials)

    @cached_property
    def client(self) -> Client:
        return Client(self.endpoint)

    @property
    def namespace(self) -> str:
        """-n, else the kubeconfig context's, else "default"."""
        return self.namespace_option or self.endpoint.namespace or "default"

    @property
    def scope(self) -> str:
        """The namespace of a list: "" with -A."""
        return "" if self.all_namespaces else self.namespace

    @staticmethod
    def note(text: str) -> None:
        """A line for the person, not for the pipe."""
        print(text, file=sys.stderr, flush=True)
