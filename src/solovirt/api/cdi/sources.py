"""Where a DataVolume's data comes from (CDI api core/v1beta1), and CDI's rules for it.

Source: containerized-data-importer pkg/apiserver/webhooks. Must not know which of them this host can fetch.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.validation.text import check_image
from solovirt.api.meta import Model

CHECKSUM_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_CHECKSUM = re.compile(r"(?P<algorithm>[a-z0-9]+):(?P<digest>[0-9a-fA-F]+)")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}:[\x20-\x7e\t]{0,4096}")
_SCHEMES = ("docker", "oci-archive")
_PULL_METHODS = ("", "pod", "node")


class HTTPSource(Model):
    url: str
    checksum: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    extra_headers: list[str] = msgspec.field(default_factory=list)
    secret_extra_headers: list[str] = msgspec.field(default_factory=list)
    insecure_skip_verify: bool | None = None


class BlankSource(Model):
    """``blank: {}``."""


class UploadSource(Model):
    """``upload: {}``."""


class S3Source(Model):
    url: str
    secret_ref: str = ""
    cert_config_map: str = ""


class GCSSource(Model):
    url: str
    secret_ref: str = ""


class Platform(Model):
    architecture: str = ""


class RegistrySource(Model):
    """``url`` is ``docker://IMAGE`` or ``oci-archive://``."""

    url: str = ""
    image_stream: str = ""
    pull_method: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    platform: Platform | None = None


class ClaimReference(Model):
    """A claim or a snapshot to be cloned."""

    namespace: str = ""
    name: str = ""


class ImageIOSource(Model):
    url: str
    disk_id: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    insecure_skip_verify: bool | None = None


class VDDKSource(Model):
    url: str = ""
    uuid: str = ""
    backing_file: str = ""
    thumbprint: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    init_image_url: str = msgspec.field(default="", name="initImageURL")
    extra_args: str = ""


class DataVolumeImport(Model):
    http: HTTPSource | None = None
    blank: BlankSource | None = None
    s3: S3Source | None = msgspec.field(default=None, name="s3")
    gcs: GCSSource | None = None
    registry: RegistrySource | None = None
    pvc: ClaimReference | None = None
    snapshot: ClaimReference | None = None
    upload: UploadSource | None = None
    imageio: ImageIOSource | None = None
    vddk: VDDKSource | None = None

    def kinds(self) -> list[str]:
        """The JSON names of the sources that are set (a valid DataVolume has exactly one)."""
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class SourceReference(Model):
    kind: str
    name: str
    namespace: str = ""


def check_source(causes: Causes, source: DataVolumeImport, content_type: str, field: str) -> None:
    """``field`` is the path of ``source``."""
    kinds = source.kinds()
    if len(kinds) != 1:
        text = "Multiple data volume sources specified" if kinds else "Missing data volume source"
        causes.add(INVALID if kinds else REQUIRED, field, f"{field}: {text}")
    if source.blank is not None and content_type == "archive":
        text = "SourceType blank and the contentType archive combination is invalid"
        causes.add(INVALID, field, f"{field}: {text}")
    if source.http is not None:
        _check_http(causes, source.http, f"{field}.http")
    for name, bucket in (("s3", source.s3), ("gcs", source.gcs)):
        if bucket is not None:
            _check_bucket(causes, bucket.url, f"{field}.{name}")
    if source.registry is not None:
        _check_registry(causes, source.registry, content_type, f"{field}.registry")
    for name, other in (("pvc", source.pvc), ("snapshot", source.snapshot)):
        if other is not None and not (other.namespace and other.name):
            place = f"{field}.{name}"
            causes.add(INVALID, place, f"{place} source {'PVC' if name == 'pvc' else name} is not valid")
    _check_foreign(causes, source, field)


def _check_foreign(causes: Causes, source: DataVolumeImport, field: str) -> None:
    """Disks of other hypervisors."""
    imageio, vddk = source.imageio, source.vddk
    if imageio is not None and not (imageio.secret_ref and imageio.cert_config_map and imageio.disk_id):
        place = f"{field}.imageio"
        causes.add(INVALID, place, f"{place} source Imageio is not valid")
    wanted = (vddk.secret_ref, vddk.uuid, vddk.backing_file, vddk.thumbprint) if vddk is not None else ()
    if not all(wanted):
        place = f"{field}.vddk"
        causes.add(INVALID, place, f"{place} source VDDK is not valid")


def check_source_reference(causes: Causes, reference: SourceReference, field: str) -> None:
    if not reference.kind:
        causes.add(INVALID, f"{field}.kind", f"{field}.kind: Missing sourceRef kind")
    elif reference.kind != "DataSource":
        text = f"Unsupported sourceRef kind {reference.kind}, currently only DataSource is supported"
        causes.add(INVALID, f"{field}.kind", f"{field}.kind: {text}")
    if not reference.name:
        causes.add(INVALID, f"{field}.name", f"{field}.name: Missing sourceRef name")


def _check_http(causes: Causes, http: HTTPSource, field: str) -> None:
    if problem := _url_problem(http.url):
        causes.invalid(f"{field}.url", http.url, problem)
    for index, header in enumerate(http.extra_headers):
        if not _HEADER.fullmatch(header):
            causes.invalid(f"{field}.extraHeaders[{index}]", "", "must be NAME: VALUE in printable ASCII")
    if not http.checksum:
        return
    match = _CHECKSUM.fullmatch(http.checksum)
    if match is None or match["algorithm"] not in CHECKSUM_DIGITS:
        causes.invalid(
            f"{field}.checksum", http.checksum, "must be <algorithm>:<hex>, of " + ", ".join(CHECKSUM_DIGITS)
        )
    elif len(match["digest"]) != CHECKSUM_DIGITS[match["algorithm"]]:
        digits = CHECKSUM_DIGITS[match["algorithm"]]
        causes.invalid(f"{field}.checksum", http.checksum, f"a {match['algorithm']} checksum has {digits} hex digits")


def _check_bucket(causes: Causes, url: str, field: str) -> None:
    if not url or not url.isprintable():
        causes.invalid(f"{field}.url", url, "must be set")


def _check_registry(causes: Causes, registry: RegistrySource, content_type: str, field: str) -> None:
    if bool(registry.url) == bool(registry.image_stream):
        causes.add(INVALID, field, f"{field}: source registry should have either URL or ImageStream")
    if registry.url:
        scheme, separator, rest = registry.url.partition("://")
        if not separator or scheme not in _SCHEMES:
            known = scheme if separator else ""
            causes.invalid(f"{field}.url", registry.url, f"Illegal registry source URL scheme {known}")
        elif scheme == "docker":
            check_image(causes, rest, f"{field}.url")
    if registry.pull_method not in _PULL_METHODS:
        text = f'ImportMethod {registry.pull_method} is neither pod, node or ""'
        causes.add(INVALID, f"{field}.pullMethod", f"{field}.pullMethod: {text}")
    if registry.image_stream and registry.pull_method != "node":
        text = "Source registry imageStream is supported only with node pull import method"
        causes.add(INVALID, f"{field}.imageStream", f"{field}.imageStream: {text}")
    if content_type == "archive":
        causes.add(INVALID, field, f"{field}: SourceType Registry and the contentType archive combination is invalid")


def _url_problem(url: str) -> str:
    """CDI takes http and https only. Characters that no URL has would reach log files and other programs."""
    if not url:
        return "must be set"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "must be made of printable ASCII without spaces"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in ("http", "https"):
        return "Invalid source URL, scheme must be http or https"
    return "" if parts.hostname and port != 0 else "Invalid source URL, it has no host"
