from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host.images.reference import parse, registry_host
from solovirt.kit.errors import HostError

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "key", "policy"),
    [
        ("debian", "docker.io/library/debian:latest", "Always"),
        ("docker://debian:12", "docker.io/library/debian:12", "IfNotPresent"),
        ("solovirt/tiny", "docker.io/solovirt/tiny:latest", "Always"),
        ("index.docker.io/a", "docker.io/library/a:latest", "Always"),
        ("quay.io/containerdisks/fedora:40", "quay.io/containerdisks/fedora:40", "IfNotPresent"),
        ("localhost/x", "localhost/x:latest", "Always"),
        ("registry:5000/kubevirt/a:devel", "registry:5000/kubevirt/a:devel", "IfNotPresent"),
        ("[::1]:5000/a:b", "[::1]:5000/a:b", "IfNotPresent"),
        (f"quay.io/a/b:latest@{DIGEST}", f"quay.io/a/b@{DIGEST}", "IfNotPresent"),
        (f"b@{DIGEST}", f"docker.io/library/b@{DIGEST}", "IfNotPresent"),
    ],
)
def test_defaults_of_docker(text: str, key: str, policy: str) -> None:
    found = parse(text)
    assert found.key == key
    assert found.default_policy == policy
    assert parse(found.key).key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docker://",
        "a b",
        "a:bad tag",
        "a@sha256:12",
        "a@md5:" + "a" * 32,
        "/abs",
        "a//b",
        "../x",
        "a/../b",
        "a,b",
        "a\n",
        "x" * 600,
        "host:99999999/a",
        "-a",
        "--authfile=/etc/shadow",
    ],
)
def test_refuses_what_is_no_reference(text: str) -> None:
    with pytest.raises(HostError) as caught:
        parse(text, field="spec.volumes[0].containerDisk.image")
    assert caught.value.reason == "InvalidImageName"
    assert caught.value.field == "spec.volumes[0].containerDisk.image"


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("localhost:5000/a", True),
        ("127.0.0.1:5000/a", True),
        ("127.8.8.8/a", True),
        ("[::1]:5000/a", True),
        ("127.0.0.1.evil.com/a", False),
        ("localhost.evil.com/a", False),
        ("10.0.0.1:5000/a", False),
        ("debian", False),
    ],
)
def test_loopback_is_this_host_only(text: str, loopback: bool) -> None:
    assert parse(text).loopback is loopback


def test_host_of_a_registry() -> None:
    assert registry_host("[::1]:5000") == "::1"
    assert registry_host("a.b:1") == "a.b"


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_whatever_parses_is_safe_in_a_url_and_stays_itself(text: str) -> None:
    try:
        found = parse(text)
    except HostError:
        return
    assert not set(found.key) & set(" \t\n,'\"\\#?%&;|<>$`")
    assert not found.key.startswith(("-", "/"))
    assert ".." not in found.repository.split("/")
    assert parse(found.key).key == found.key
