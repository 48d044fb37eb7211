"""API servers that are not the local daemon: a URL, TLS, and who we are to them."""

from __future__ import annotations

import os
import ssl
import tempfile
from urllib.parse import urlsplit

from solovirt.cli.endpoint import ANYBODY, Credentials, Endpoint
from solovirt.kit.errors import BadRequest


def from_url(url: str, credentials: Credentials = ANYBODY, *, ca_data: bytes = b"", server_name: str = "") -> Endpoint:
    """``http://host:port/prefix`` or https. Raises BadRequest for anything else, and for files that cannot be used."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query or parts.fragment:
        raise BadRequest(
            f"{url!r} is not the URL of a server", hint="use https://host:port, http://... or unix:///path"
        )
    headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}
    tls = tls_context(credentials, ca_data=ca_data) if parts.scheme == "https" else None
    return Endpoint(
        host=host,
        port=port or (443 if tls else 80),
        tls=tls,
        server_name=server_name,
        base_path=parts.path,
        headers=headers,
    )


def tls_context(credentials: Credentials, *, ca_data: bytes = b"") -> ssl.SSLContext:
    """A verifying client context; ``insecure`` turns the verification off as kubectl's flag does."""
    ca_file = credentials.ca_file
    try:
        context = ssl.create_default_context(
            cafile=ca_file or None, cadata=ca_data.decode("ascii") if ca_data and not ca_file else None
        )
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"the CA certificates {ca_file or 'of the kubeconfig'} cannot be used: {_why(error)}"
        ) from error
    if credentials.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate:
        use_certificate(context, credentials.certificate, credentials.key)
    return context


def use_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Who we are. An encrypted key is refused: there is nobody to ask for its password."""
    try:
        context.load_cert_chain(certificate, key or None, password=lambda: "")
    except OSError as error:
        raise BadRequest(
            f"the client certificate {certificate} and its key {key or certificate} cannot be used: {_why(error)}"
        ) from error


def use_certificate_data(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """ssl takes files only: the copies are 0600 and gone again before the first request."""
    with tempfile.TemporaryDirectory(prefix="solovirt-") as folder:
        use_certificate(context, _write(folder, "certificate", certificate), _write(folder, "key", key))


def _write(folder: str, name: str, data: bytes) -> str:
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
    return path


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
