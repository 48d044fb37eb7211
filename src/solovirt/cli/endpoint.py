"""Where the API is: the local daemon's unix socket, a URL, or a kubeconfig's cluster.

The local daemon is the default and costs no import beyond ``socket``; the daemon is started when it does not answer.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from solovirt.kit import locations
from solovirt.kit.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from ssl import SSLContext


class Endpoint:
    """One API server: how to connect to it, what to put before each path, and what to say in each request."""

    def __init__(
        self,
        *,
        unix: str = "",
        host: str = "localhost",
        port: int = 0,
        tls: SSLContext | None = None,
        base_path: str = "",
        headers: dict[str, str] | None = None,
        namespace: str = "",
    ) -> None:
        self.unix = unix
        self.host = host
        self.port = port
        self.tls = tls
        self.base_path = base_path.rstrip("/")
        self.headers = headers or {}
        self.namespace = namespace

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    def __str__(self) -> str:
        if self.unix:
            return f"unix://{self.unix}"
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.base_path}"

    def connect(self) -> socket.socket:
        """A connected socket. Raises Unavailable naming the server."""
        try:
            if self.unix:
                return self._connect_unix()
            plain = socket.create_connection((self.host, self.port), timeout=30)
            plain.settimeout(None)
            return self.tls.wrap_socket(plain, server_hostname=self.host) if self.tls else plain
        except OSError as error:
            raise Unavailable(f"cannot reach {self}: {error.strerror or error}") from error

    def _connect_unix(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self.unix)
        except OSError:
            sock.close()
            raise
        return sock


class LocalEndpoint(Endpoint):
    """The daemon of this user; started by the first command that needs it."""

    def __init__(self) -> None:
        super().__init__(unix=locations.socket_path(os.environ, os.geteuid()))

    def connect(self) -> socket.socket:
        try:
            return self._connect_unix()
        except (FileNotFoundError, ConnectionRefusedError):
            from solovirt.cli.autostart import start_daemon

            start_daemon(self.unix)
            return super().connect()
        except OSError as error:
            raise Unavailable(f"cannot reach {self}: {error.strerror or error}") from error


def choose(server: str, context: str, *, insecure: bool = False, token: str = "", ca_file: str = "") -> Endpoint:
    """``--server`` wins, then KUBECONFIG, then the local daemon.

    Raises BadRequest for a URL or kubeconfig that cannot be used.
    """
    if server.startswith("unix://"):
        return Endpoint(unix=server.removeprefix("unix://"))
    if server:
        from solovirt.cli.remote import from_url

        return from_url(server, insecure=insecure, token=token, ca_file=ca_file)
    kubeconfig = os.environ.get("KUBECONFIG", "")
    if kubeconfig:
        from solovirt.cli.remote import from_kubeconfig

        return from_kubeconfig(kubeconfig, context)
    if context:
        raise BadRequest("--context needs KUBECONFIG", hint="set KUBECONFIG to the file that has this context")
    return LocalEndpoint()
