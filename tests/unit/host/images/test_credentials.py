from __future__ import annotations

import base64

import pytest

from solovirt.host.images.credentials import from_login, from_secret
from solovirt.kit import json
from solovirt.kit.errors import HostError

PAIR = base64.b64encode(b"joe:secret").decode()


def auths(data: dict[str, bytes], registry: str = "quay.io") -> json.Json:
    return json.decode_object(from_secret("s", data, registry).auth_file)["auths"]


def test_dockerconfigjson() -> None:
    config = json.encode({"auths": {"https://index.docker.io/v1/": {"auth": PAIR}, "localhost:5000": {"auth": PAIR}}})
    assert auths({".dockerconfigjson": config}) == {"docker.io": {"auth": PAIR}, "localhost:5000": {"auth": PAIR}}


def test_user_and_password_fields() -> None:
    config = json.encode({"auths": {"quay.io/team": {"username": "joe", "password": "secret", "email": "x"}}})
    assert auths({".dockerconfigjson": config}) == {"quay.io/team": {"auth": PAIR}}


def test_the_older_dockercfg() -> None:
    assert auths({".dockercfg": json.encode({"quay.io": {"auth": PAIR}})}) == {"quay.io": {"auth": PAIR}}


@pytest.mark.parametrize("keys", [("accessKeyId", "secretKey"), ("username", "password")])
def test_single_keys_are_for_the_images_registry(keys: tuple[str, str]) -> None:
    assert auths({keys[0]: b"joe", keys[1]: b"secret"}) == {"quay.io": {"auth": PAIR}}


def test_helpers_that_would_be_run_do_not_pass() -> None:
    hostile = {"auths": {"a.io": {"auth": PAIR}}, "credsStore": "evil", "credHelpers": {"a.io": "evil"}}
    found = from_secret("s", {".dockerconfigjson": json.encode(hostile)}, "a.io").auth_file
    assert b"evil" not in found
    assert b"cred" not in found


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({}, "none of the keys"),
        ({".dockerconfigjson": b"{"}, "not JSON"),
        ({".dockerconfigjson": b"[]"}, "not JSON"),
        ({".dockerconfigjson": b"{}"}, "no user name"),
        ({".dockerconfigjson": b'{"auths":{"a":{"auth":"%%%"}}}'}, "no user name"),
        ({".dockerconfigjson": b'{"auths":{"a":7}}'}, "no user name"),
        ({".dockerconfigjson": b" " * 300_000}, "larger"),
    ],
)
def test_what_is_no_pull_secret(data: dict[str, bytes], why: str) -> None:
    with pytest.raises(HostError, match=why) as caught:
        from_secret("regcred", data, "a.io")
    assert caught.value.reason == "InvalidImagePullSecret"
    assert "regcred" in caught.value.message


def test_a_repr_shows_no_password() -> None:
    assert PAIR not in repr(from_login("a.io", b"joe", b"secret"))
