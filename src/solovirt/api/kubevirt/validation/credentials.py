"""Rules for accessCredentials. Source: kubevirt admitters/vmi-create-admitter.go, ``validateAccessCredentials``."""

from __future__ import annotations

import re

from solovirt.api.causes import INVALID, Causes
from solovirt.api.kubevirt.spec.credentials import AccessCredential, CredentialSource, SSHPublicKey, UserPassword
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.text import check_reference

MOST = 256
_USER = re.compile(r"[^\s:/\0-\x1f]{1,256}")


def check_credentials(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of ``accessCredentials``."""
    credentials = spec.access_credentials
    if len(credentials) > MOST:
        causes.add(INVALID, field, f"{field} list exceeds the {MOST} element limit in length")
        return
    no_cloud = any(volume.cloud_init_no_cloud is not None for volume in spec.volumes)
    config_drive = any(volume.cloud_init_config_drive is not None for volume in spec.volumes)
    for index, credential in enumerate(credentials):
        place = f"{field}[{index}]"
        _check_one(causes, credential, place)
        if credential.ssh_public_key is not None:
            method = credential.ssh_public_key.propagation_method
            wanted = (("noCloud", method.no_cloud, no_cloud), ("configDrive", method.config_drive, config_drive))
            for name, asked, there in wanted:
                if asked is not None and not there:
                    text = f"{place} requires a {name} volume to exist when the {name} propagationMethod is in use."
                    causes.add(INVALID, f"{place}.sshPublicKey.propagationMethod", text)


def _check_one(causes: Causes, credential: AccessCredential, place: str) -> None:
    if (credential.ssh_public_key is None) == (credential.user_password is None):
        causes.add(INVALID, place, f"{place} must have exactly one access credential type set")
    if credential.ssh_public_key is not None:
        _check_key(causes, credential.ssh_public_key, f"{place}.sshPublicKey", place)
    if credential.user_password is not None:
        _check_password(causes, credential.user_password, f"{place}.userPassword", place)


def _check_key(causes: Causes, key: SSHPublicKey, field: str, place: str) -> None:
    _check_source(causes, key.source, f"{field}.source", place)
    method = key.propagation_method
    methods = (method.no_cloud, method.config_drive, method.qemu_guest_agent)
    if sum(one is not None for one in methods) != 1:
        text = f"{place} must have exactly one propagationMethod set"
        causes.add(INVALID, f"{field}.propagationMethod", text)
    agent = method.qemu_guest_agent
    if agent is None:
        return
    users = f"{field}.propagationMethod.qemuGuestAgent.users"
    if not agent.users:
        causes.add(INVALID, users, f"{place} requires at least one user to be present in the users list")
    for index, user in enumerate(agent.users):
        if not _USER.fullmatch(user):
            causes.invalid(f"{users}[{index}]", user, "must be the name of a user")


def _check_password(causes: Causes, password: UserPassword, field: str, place: str) -> None:
    _check_source(causes, password.source, f"{field}.source", place)
    if password.propagation_method.qemu_guest_agent is None:
        text = f"{place} must have exactly one propagationMethod set"
        causes.add(INVALID, f"{field}.propagationMethod", text)


def _check_source(causes: Causes, source: CredentialSource, field: str, place: str) -> None:
    if source.secret is None:
        causes.add(INVALID, field, f"{place} must have exactly one source set")
    else:
        check_reference(causes, source.secret.secret_name, f"{field}.secret.secretName")
