"""KUBECONFIG: the cluster, user and namespace of a context (v1 Config of client-go).

What a kubeconfig can say and we cannot do is refused by its name.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from typing import NamedTuple

from solovirt.cli import remote
from solovirt.cli.endpoint import ANYBODY, Credentials, Endpoint
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def load(paths: str, context_name: str = "", given: Credentials = ANYBODY) -> Endpoint:
    """The server of a context, the current one by default. ``given`` wins over what the files say.

    Raises BadRequest naming the file and what is missing in it, or wrong.
    """
    config = _merge(_read_all(paths))
    wanted = context_name or get_str(config, "current-context")
    context = _named(config, "contexts", wanted, "context", paths)
    cluster = _named(config, "clusters", get_str(context, "cluster"), "cluster", paths)
    user_name = get_str(context, "user")
    user = _named(config, "users", user_name, "user", paths) if user_name else {}
    _refuse(paths, {**cluster, **user})
    endpoint = _endpoint(cluster, _identity(user), user, given)
    endpoint.namespace = get_str(context, "namespace")
    return endpoint


class Identity(NamedTuple):
    """Who we are: one of a token or a certificate, or both. Certificates are PEM."""

    token: str = ""
    certificate: bytes = b""
    key: bytes = b""


def _endpoint(cluster: JsonObject, identity: Identity, user: JsonObject, given: Credentials) -> Endpoint:
    # As in client-go, data in the kubeconfig wins over a file that it names; what was given wins over both.
    ca_data = b"" if given.ca_file else _data(cluster, "certificate-authority-data")
    credentials = Credentials(
        token=given.token or identity.token,
        ca_file=given.ca_file or ("" if ca_data else get_str(cluster, "certificate-authority")),
        certificate=given.certificate or get_str(user, "client-certificate"),
        key=given.key or get_str(user, "client-key"),
        insecure=given.insecure or cluster.get("insecure-skip-tls-verify") is True,
    )
    inline = identity.certificate and not given.certificate
    if inline:
        credentials = credentials._replace(certificate="", key="")
    endpoint = remote.from_url(
        get_str(cluster, "server"),
        credentials,
        ca_data=ca_data,
        server_name=get_str(cluster, "tls-server-name"),
    )
    if endpoint.tls and inline:
        remote.use_certificate_data(endpoint.tls, identity.certificate, identity.key)
    if (name := get_str(user, "username")) and "Authorization" not in endpoint.headers:
        pair = f"{name}:{get_str(user, 'password')}".encode()
        endpoint.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return endpoint


def _refuse(paths: str, settings: JsonObject) -> None:
    unknown = ("proxy-url", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra")
    for key in unknown:
        if settings.get(key):
            raise BadRequest(f"KUBECONFIG {paths}: {key} is not supported")


def _read_all(paths: str) -> list[JsonObject]:
    """As in client-go, files of a list that do not exist are passed over, unless none does."""
    names = [path for path in paths.split(os.pathsep) if path]
    present = [path for path in names if os.path.lexists(path)]
    return [_read(path) for path in present or names]


def _read(path: str) -> JsonObject:
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
    for key in FILES:
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
    try:
        return base64.b64decode(get_str(entry, key), validate=True)
    except binascii.Error as error:
        raise BadRequest(f"the kubeconfig's {key} is not base64: {error}") from error


def _identity(user: JsonObject) -> Identity:
    certificate, key = _data(user, "client-certificate-data"), _data(user, "client-key-data")
    if token := get_str(user, "token"):
        return Identity(token, certificate, key)
    if path := get_str(user, "tokenFile"):
        try:
            with open(path, encoding="utf-8") as file:
                return Identity(file.read().strip(), certificate, key)
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"the kubeconfig's tokenFile {path} cannot be read: {error}") from error
    if plugin := get_object(user, "exec"):
        return _ask_plugin(plugin)
    return Identity("", certificate, key)


def _ask_plugin(plugin: JsonObject) -> Identity:
    """client.authentication.k8s.io ExecCredential: run the plugin and take what it says."""
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
        answer: Json = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise BadRequest(f"the kubeconfig's credential plugin {command[0]!r} failed: {error}") from error
    status = get_object(answer, "status") if isinstance(answer, dict) else {}
    certificate, key = (get_str(status, k).encode() for k in ("clientCertificateData", "clientKeyData"))
    found = Identity(get_str(status, "token"), certificate, key)
    if not any(found):
        raise BadRequest(f"the kubeconfig's credential plugin {command[0]!r} gave neither a token nor a certificate")
    return found
