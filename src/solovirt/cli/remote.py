"""API servers that are not the local daemon: a URL, or the cluster of a kubeconfig (v1 Config of client-go)."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import tempfile
from urllib.parse import urlsplit

from solovirt.cli.endpoint import Endpoint
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str


def from_url(url: str, *, insecure: bool = False, token: str = "", ca_file: str = "", ca_data: bytes = b"") -> Endpoint:
    """``http://host:port/prefix`` or https. Raises BadRequest for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(
            f"--server {url!r} is not a URL", hint="use https://host:port, http://host:port or unix:///path"
        )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    tls = tls_context(insecure=insecure, ca_file=ca_file, ca_data=ca_data) if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    return Endpoint(host=parts.hostname, port=port, tls=tls, base_path=parts.path, headers=headers)


def tls_context(*, insecure: bool, ca_file: str = "", ca_data: bytes = b"") -> ssl.SSLContext:
    """A verifying client context; ``insecure`` turns the verification off as kubectl's flag does."""
    context = ssl.create_default_context(cafile=ca_file or None, cadata=ca_data.decode() if ca_data else None)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def from_kubeconfig(paths: str, context_name: str) -> Endpoint:
    """The cluster, user and namespace of a context (the current one by default) in KUBECONFIG's files.

    Raises BadRequest naming the file and what is missing in it.
    """
    config = _merge([_load(path) for path in paths.split(os.pathsep) if path])
    wanted = context_name or get_str(config, "current-context")
    context = _named(config, "contexts", wanted, "context", paths)
    cluster = _named(config, "clusters", get_str(context, "cluster"), "cluster", paths)
    user_name = get_str(context, "user")
    user = _named(config, "users", user_name, "user", paths) if user_name else {}
    endpoint = from_url(
        get_str(cluster, "server"),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        token=_token(user),
        ca_file=get_str(cluster, "certificate-authority"),
        ca_data=_data(cluster, "certificate-authority-data"),
    )
    if endpoint.tls:
        _client_certificate(endpoint.tls, user)
    endpoint.namespace = get_str(context, "namespace")
    return endpoint


def _load(path: str) -> JsonObject:
    from solovirt.kit import yaml

    try:
        with open(path, "rb") as file:
            documents = yaml.load_all(file.read(), source=path)
    except OSError as error:
        raise BadRequest(f"KUBECONFIG {path}: {error.strerror}") from error
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        raise BadRequest(f"KUBECONFIG {path}: not a kubeconfig")
    folder = os.path.dirname(os.path.abspath(path))
    for kind, inner in (("clusters", "cluster"), ("users", "user")):
        for entry in get_list(value, kind):
            if isinstance(entry, dict):
                _absolute(get_object(entry, inner), folder)
    return value


def _absolute(entry: JsonObject, folder: str) -> None:
    """File names in a kubeconfig are relative to the file itself."""
    for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if name := get_str(entry, key):
            entry[key] = os.path.join(folder, name)


def _merge(configs: list[JsonObject]) -> JsonObject:
    """client-go's rule: the first file that sets something wins."""
    merged: JsonObject = {}
    for kind in ("clusters", "users", "contexts"):
        seen: dict[str, Json] = {}
        for config in configs:
            for entry in get_list(config, kind):
                if isinstance(entry, dict):
                    seen.setdefault(get_str(entry, "name"), entry)
        merged[kind] = list(seen.values())
    merged["current-context"] = next((c["current-context"] for c in configs if c.get("current-context")), "")
    return merged


def _named(config: JsonObject, kind: str, name: str, inner: str, paths: str) -> JsonObject:
    if not name:
        raise BadRequest(f"KUBECONFIG {paths} names no {inner}", hint="set current-context or give --context")
    for entry in get_list(config, kind):
        if isinstance(entry, dict) and entry.get("name") == name:
            return get_object(entry, inner)
    raise BadRequest(f"KUBECONFIG {paths} has no {inner} {name!r}")


def _data(entry: JsonObject, key: str) -> bytes:
    text = get_str(entry, key)
    return base64.b64decode(text) if text else b""


def _token(user: JsonObject) -> str:
    if token := get_str(user, "token"):
        return token
    if path := get_str(user, "tokenFile"):
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    plugin = get_object(user, "exec")
    return _exec_token(plugin) if plugin else ""


def _exec_token(plugin: JsonObject) -> str:
    """client.authentication.k8s.io ExecCredential: run the plugin and take its token."""
    import json

    command = [get_str(plugin, "command"), *(str(a) for a in get_list(plugin, "args"))]
    env = {get_str(e, "name"): get_str(e, "value") for e in get_list(plugin, "env") if isinstance(e, dict)}
    info = {"apiVersion": get_str(plugin, "apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BadRequest(f"the kubeconfig's credential plugin {command[0]!r} failed: {error}") from error
    answer: JsonObject = json.loads(done.stdout)
    return get_str(get_object(answer, "status"), "token")


def _client_certificate(context: ssl.SSLContext, user: JsonObject) -> None:
    certificate, key = get_str(user, "client-certificate"), get_str(user, "client-key")
    certificate_data, key_data = _data(user, "client-certificate-data"), _data(user, "client-key-data")
    if not (certificate or certificate_data):
        return
    # ssl takes files only; the key's copy is 0600 and gone again before the first request.
    with tempfile.TemporaryDirectory(prefix="solovirt-") as folder:
        if certificate_data:
            certificate = _write(folder, "cert", certificate_data)
        if key_data:
            key = _write(folder, "key", key_data)
        context.load_cert_chain(certificate, key or None)


def _write(folder: str, name: str, data: bytes) -> str:
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path
