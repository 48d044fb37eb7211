from __future__ import annotations

import ssl

import pytest

from solovirt.cli.endpoint import Credentials
from solovirt.cli.remote import from_url
from solovirt.kit.errors import BadRequest


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x",
        "justtext",
        "https://",
        "https://x:port",
        "https://x:99999",
        "https://u:p@x",
        "https://x?y",
        "http://[",
    ],
)
def test_urls(url: str) -> None:
    with pytest.raises(BadRequest, match="is not the URL of a server"):
        from_url(url)


def test_tls_verifies_unless_told_otherwise() -> None:
    strict, loose = from_url("https://x").tls, from_url("https://x", Credentials(insecure=True)).tls
    assert strict is not None
    assert loose is not None
    assert (strict.verify_mode, loose.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)
    assert from_url("https://x").port == 443


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(ca_file="/nonexistent"),
        Credentials(ca_file="/etc/hostname"),
        Credentials(certificate="/nonexistent"),
        Credentials(certificate="/etc/hostname", key="/nonexistent"),
    ],
)
def test_files_that_cannot_be_used_are_named(credentials: Credentials) -> None:
    with pytest.raises(BadRequest, match="cannot be used") as caught:
        from_url("https://x", credentials)
    assert (credentials.ca_file or credentials.certificate) in str(caught.value)


def test_ca_data_that_is_no_certificate() -> None:
    with pytest.raises(BadRequest, match="of the kubeconfig cannot be used"):
        from_url("https://x", ca_data=b"\xff")
