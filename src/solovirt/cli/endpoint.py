"""Where the API is: the local daemon's unix socket, a URL, or a kubeconfig's cluster.

The local daemon is the default and costs no import beyond ``socket``; the daemon is started when it does not answer.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

from solovirt.kit import locations
from solovirt.kit.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from ssl import SSLContext


CONNECT_TIMEOUT = 30


class Endpoint:
    """One API server: how to connect to it, what to put before each path, and what to say in each request.

    ``autostart`` False: a local daemon that is not there stays away.
    """

    autostart = True

    def __init__(
        self,
        *,
        unix: str = "",
        host: str = "localhost",
        port: int = 0,
        tls: SSLContext | None = None,
        server_name: str = "",
        base_path: str = "",
        headers: dict[str, str] | None = None,
        namespace: str = "",
    ) -> None:
        self.unix = unix
        self.host = host
        self.port = port
        self.tls = tls
        self.server_name = server_name or host
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
            plain = socket.create_connection((self.host, self.port), timeout=CONNECT_TIMEOUT)
            connected = self.tls.wrap_socket(plain, server_hostname=self.server_name) if self.tls else plain
        except OSError as error:
            raise unreachable(self, error) from error
        connected.settimeout(None)
        return connected

    def _connect_unix(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self.unix)
            _check_server(sock, self.unix)
        except (OSError, Unavailable):
            sock.close()
            raise
        return sock


def _check_server(sock: socket.socket, path: str) -> None:
    """Without XDG_RUNTIME_DIR the socket is below /tmp, where somebody else may have made it before us."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    uid = int.from_bytes(credentials[4:8], sys.byteorder)
    if uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise Unavailable(
            f"{path} is served by user {uid}, who is neither you nor root",
            hint="nothing was sent; set XDG_RUNTIME_DIR or SOLOVIRT_RUNTIME_DIR to a directory of your own",
        )


class LocalEndpoint(Endpoint):
    """The daemon of this user; started by the first command that needs it."""

    def __init__(self) -> None:
        super().__init__(unix=locations.socket_path(os.environ, os.geteuid()))

    def connect(self) -> socket.socket:
        try:
            return self._connect_unix()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if not self.autostart:
                raise unreachable(self, error) from error
            from solovirt.cli.autostart import start_daemon

            start_daemon(self.unix)
            return super().connect()
        except OSError as error:
            raise unreachable(self, error) from error


class Credentials(NamedTuple):
    """What the options say about a remote server. Anything given wins over the kubeconfig's."""

    token: str = ""
    ca_file: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False


ANYBODY = Credentials()


def unreachable(endpoint: Endpoint, error: OSError) -> Unavailable:
    """In words, with the way out where there is one. Certificate errors tell the reason, not where OpenSSL found it."""
    if distrust := getattr(error, "verify_message", ""):
        return Unavailable(
            f"the certificate of {endpoint} is not trusted: {distrust}",
            hint="--certificate-authority FILE, or certificate-authority in the kubeconfig, names the CA to trust",
        )
    if endpoint.tls and (reason := getattr(error, "reason", "")):
        return Unavailable(f"no TLS connection to {endpoint}: {str(reason).replace('_', ' ').lower()}")
    hint = "unix socket paths have at most 107 bytes: set SOLOVIRT_RUNTIME_DIR" if "too long" in str(error) else ""
    return Unavailable(f"cannot reach {endpoint}: {error.strerror or error}", hint=hint)


def choose(server: str, context: str, credentials: Credentials = ANYBODY) -> Endpoint:
    """``--server`` wins, then KUBECONFIG, then the local daemon.

    Raises BadRequest for a URL or kubeconfig that cannot be used, and for credentials that nobody would look at.
    """
    if server.startswith("unix://"):
        found = Endpoint(unix=server.removeprefix("unix://"))
    elif server:
        from solovirt.cli.remote import from_url

        return from_url(server, credentials)
    elif kubeconfig := os.environ.get("KUBECONFIG", ""):
        from solovirt.cli.kubeconfig import load

        return load(kubeconfig, context, credentials)
    elif context:
        raise BadRequest("--context needs KUBECONFIG", hint="set KUBECONFIG to the file that has this context")
    else:
        found = LocalEndpoint()
    if any(credentials):
        raise BadRequest("tokens and certificates are for remote servers", hint="give --server URL or set KUBECONFIG")
    return found
