from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host.images.manifest import Index, Manifest, digest_of, parse
from solovirt.kit import json
from solovirt.kit.errors import HostError
from solovirt.kit.json import Json

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def raw(**fields: Json) -> bytes:
    return json.encode({"schemaVersion": 2, **fields})


def entry(digest: str, **platform: str) -> dict[str, Json]:
    return {"digest": digest, "platform": dict(platform)}


def test_index_gives_the_architecture() -> None:
    entries: list[Json] = [
        entry(A, os="windows", architecture="amd64"),
        entry(A, os="linux", architecture="arm64"),
        entry(B, os="linux", architecture="amd64"),
    ]
    assert parse(raw(manifests=entries), "amd64") == Index(B)
    assert parse(raw(manifests=entries), "arm64") == Index(A)
    with pytest.raises(HostError, match="no image for linux/s390x; it has windows/amd64, linux/arm64, linux/amd64"):
        parse(raw(manifests=entries), "s390x")


def test_manifest_gives_layers() -> None:
    found = parse(raw(layers=[{"mediaType": GZIP, "digest": A, "size": 7}]), "amd64")
    assert isinstance(found, Manifest)
    assert [(layer.digest, layer.size, layer.compression) for layer in found.layers] == [(A, 7, "gzip")]
    assert found.size == 7


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{}", "schema version"),
        (b'{"schemaVersion":1,"fsLayers":[]}', "schema version"),
        (raw(), "neither layers nor manifests"),
        (raw(layers=[], manifests=[]), "both"),
        (raw(manifests=[]), "it has none"),
        (raw(manifests=[7]), "not an object"),
        (raw(manifests=[entry("sha256:../../etc", os="linux", architecture="amd64")]), "bad digest"),
        (raw(layers=[7]), "not an object"),
        (raw(layers=[{"mediaType": "application/zip", "digest": A, "size": 1}]), "not supported"),
        (raw(layers=[{"mediaType": GZIP, "digest": "md5:1", "size": 1}]), "bad digest"),
        (raw(layers=[{"mediaType": GZIP, "digest": A}]), "no size"),
        (raw(layers=[{"mediaType": GZIP, "digest": A, "size": -1}]), "no size"),
        (raw(layers=[{}] * 200), "more than 128"),
    ],
)
def test_refuses_what_is_no_manifest(data: bytes, why: str) -> None:
    with pytest.raises(HostError, match=why) as caught:
        parse(data, "amd64")
    assert caught.value.reason == "ErrImagePull"


@settings(max_examples=100)
@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3), max_leaves=5))
def test_odd_values_are_refused_not_crashed_on(value: object) -> None:
    for key in ("layers", "manifests"):
        try:
            parse(json.encode({"schemaVersion": 2, key: [value, {"digest": value, "platform": value}]}), "amd64")
        except HostError:
            continue
        raise AssertionError("it cannot be a manifest")


def test_digest() -> None:
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
