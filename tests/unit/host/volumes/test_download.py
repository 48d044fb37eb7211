from __future__ import annotations

import gzip
import hashlib
import lzma
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.images.threads import Stopped
from solovirt.host.volumes.download import Checksum, check_url, download, parse_checksum
from solovirt.kit.errors import HostError, Invalid
from tests.unit.host.images.fakes import MIB
from tests.unit.host.volumes.web import Answer, Web, serving

DATA = bytes(range(256)) * 4000 + bytes(3 * MIB)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as made:
        yield made


def fetch(web: Web, target: Path, path: str = "/x", *, limit: int = 64 * MIB, checksum: str = "") -> list[int | None]:
    seen: list[int | None] = []

    def progress(done: int, total: int | None) -> None:
        seen.append(total)

    download(
        web.url + path,
        target,
        limit=limit,
        checksum=parse_checksum(checksum),
        checkpoint=lambda: None,
        progress=progress,
    )
    return seen


@pytest.mark.parametrize(
    "body",
    [
        DATA,
        gzip.compress(DATA),
        gzip.compress(DATA[:100]) + gzip.compress(DATA[100:]),
        gzip.compress(DATA) + bytes(1000),
        lzma.compress(DATA),
        lzma.compress(DATA[:100]) + lzma.compress(DATA[100:]),
        lzma.compress(DATA) + bytes(1000),
    ],
    ids=["plain", "gzip", "gzip-members", "gzip-padded", "xz", "xz-streams", "xz-padded"],
)
@pytest.mark.parametrize("length", [-1, None])
def test_unpacks_on_the_way(web: Web, tmp_path: Path, body: bytes, length: int | None) -> None:
    web.answers["/x"] = Answer(body, length=length)
    seen = fetch(web, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == DATA
    assert set(seen) == {len(body) if length else None}


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_checksum_is_of_what_the_server_sends(web: Web, tmp_path: Path, algorithm: str) -> None:
    body = gzip.compress(DATA)
    web.answers["/x"] = Answer(body)
    digest = hashlib.new(algorithm, body).hexdigest()
    fetch(web, tmp_path / "t", checksum=f"{algorithm}:{digest.upper()}")
    with pytest.raises(HostError, match=f"{algorithm} is {digest}, but 0+ was expected") as caught:
        fetch(web, tmp_path / "u", checksum=f"{algorithm}:{'0' * len(digest)}")
    assert caught.value.reason == "ChecksumMismatch"
    assert os.listdir(tmp_path) == ["t"]


@pytest.mark.parametrize(
    ("text", "field"), [("sha256:12", "f"), ("crc:00", "f"), ("abc", "f"), ("md5:" + "g" * 32, "f")]
)
def test_wrong_checksums(text: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_checksum(text, field)
    assert caught.value.field == field
    assert parse_checksum("") is None
    assert parse_checksum("md5:" + "A" * 32) == Checksum("md5", "a" * 32)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(bytes(2 * MIB)),
        Answer(bytes(2 * MIB), length=None),
        Answer(b"", length=1 << 40),
        Answer(gzip.compress(bytes(2 * MIB))),
        Answer(lzma.compress(bytes(2 * MIB))),
    ],
    ids=["length", "no length", "only said", "gzip bomb", "xz bomb"],
)
def test_size_is_limited_while_it_arrives(web: Web, tmp_path: Path, answer: Answer) -> None:
    web.answers["/x"] = answer
    with pytest.raises(HostError, match=f"larger than the reported available storage {MIB}") as caught:
        fetch(web, tmp_path / "t", limit=MIB)
    assert caught.value.reason == "ImportTooLarge"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(code=404), "the server answered 404"),
        (Answer(code=500), "the server answered 500"),
        (Answer(b"short", length=1000), "ended after 5 of 1000|IncompleteRead|more expected"),
        (Answer(gzip.compress(DATA)[:-2000]), "damaged compressed data"),
        (Answer(gzip.compress(DATA)[:50] + b"garbage" * 100), "damaged compressed data"),
        (Answer(lzma.compress(DATA)[:-20]), "damaged compressed data"),
        (Answer(b"\x28\xb5\x2f\xfd" + bytes(100)), "compressed with zstd"),
        (Answer(code=302, headers={"Location": "file:///etc/passwd"}), "is not allowed"),
        (Answer(code=302, headers={"Location": "ftp://x/y"}), "neither http nor https"),
        (Answer(code=302, headers={"Location": "/x"}), "redirect"),
    ],
)
def test_bad_servers(web: Web, tmp_path: Path, answer: Answer, why: str) -> None:
    web.answers["/x"] = answer
    with pytest.raises(HostError, match=why):
        fetch(web, tmp_path / "t")
    assert os.listdir(tmp_path) == []


def test_follows_redirects_to_http(web: Web, tmp_path: Path) -> None:
    web.answers["/x"] = Answer(code=302, headers={"Location": f"{web.url}/y"})
    web.answers["/y"] = Answer(b"hello")
    fetch(web, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == b"hello"


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="refused") as caught:
        fetch(Web("http://127.0.0.1:1"), tmp_path / "t")
    assert caught.value.reason == "ImportFailed"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a/b", "http://", "x", "http://a/\nb", "http://a b/", "http://[::1", "http://u:p@a/"],
)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_url(url, "spec.source.http.url")
    assert caught.value.field == "spec.source.http.url"


def test_it_can_be_stopped(web: Web, tmp_path: Path) -> None:
    web.answers["/x"] = Answer(bytes(8 * MIB))

    def checkpoint() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        download(
            f"{web.url}/x",
            tmp_path / "t",
            limit=64 * MIB,
            checksum=None,
            checkpoint=checkpoint,
            progress=lambda done, total: None,
        )
    assert os.listdir(tmp_path) == []


def test_a_server_that_speaks_no_tls(web: Web, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"SSL|TLS") as caught:
        fetch(Web(web.url.replace("http:", "https:")), tmp_path / "t")
    assert caught.value.reason == "ImportFailed"
