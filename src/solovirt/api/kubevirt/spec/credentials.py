"""accessCredentials: SSH keys and passwords for the guest (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model


class SecretReference(Model):
    secret_name: str


class CredentialSource(Model):
    secret: SecretReference | None = None


class CloudInitPropagation(Model):
    """``noCloud: {}`` and ``configDrive: {}``."""


class SSHAgentPropagation(Model):
    users: list[str] = msgspec.field(default_factory=list)


class SSHPropagation(Model):
    no_cloud: CloudInitPropagation | None = None
    config_drive: CloudInitPropagation | None = None
    qemu_guest_agent: SSHAgentPropagation | None = None


class PasswordAgentPropagation(Model):
    """``qemuGuestAgent: {}``."""


class PasswordPropagation(Model):
    qemu_guest_agent: PasswordAgentPropagation | None = None


class SSHPublicKey(Model):
    source: CredentialSource
    propagation_method: SSHPropagation


class UserPassword(Model):
    source: CredentialSource
    propagation_method: PasswordPropagation


class AccessCredential(Model):
    """Exactly one of the two."""

    ssh_public_key: SSHPublicKey | None = None
    user_password: UserPassword | None = None
