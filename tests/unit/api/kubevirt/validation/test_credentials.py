from __future__ import annotations

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.credentials import (
    AccessCredential,
    CloudInitPropagation,
    CredentialSource,
    PasswordAgentPropagation,
    PasswordPropagation,
    SecretReference,
    SSHAgentPropagation,
    SSHPropagation,
    SSHPublicKey,
    UserPassword,
)
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import CloudInitSource, Volume
from solovirt.api.kubevirt.validation.credentials import check_credentials

SOURCE = CredentialSource(secret=SecretReference(secret_name="keys"))


def problems(*credentials: AccessCredential, volumes: list[Volume] | None = None) -> list[tuple[str, str]]:
    spec = VirtualMachineInstanceSpec(domain=Domain(), access_credentials=list(credentials), volumes=volumes or [])
    causes = Causes()
    check_credentials(causes, spec, "c")
    return [(cause.field, cause.message) for cause in causes.found]


def key(method: SSHPropagation, source: CredentialSource = SOURCE) -> AccessCredential:
    return AccessCredential(ssh_public_key=SSHPublicKey(source=source, propagation_method=method))


def test_what_is_fine() -> None:
    agent = SSHPropagation(qemu_guest_agent=SSHAgentPropagation(users=["fedora", "DOMAIN\\x"]))
    password = UserPassword(
        source=SOURCE, propagation_method=PasswordPropagation(qemu_guest_agent=PasswordAgentPropagation())
    )
    assert problems(key(agent), AccessCredential(user_password=password)) == []
    seeds = [
        Volume(name="a", cloud_init_no_cloud=CloudInitSource()),
        Volume(name="b", cloud_init_config_drive=CloudInitSource()),
    ]
    no_cloud = SSHPropagation(no_cloud=CloudInitPropagation())
    config_drive = SSHPropagation(config_drive=CloudInitPropagation())
    assert problems(key(no_cloud), key(config_drive), volumes=seeds) == []


def test_a_method_needs_its_volume() -> None:
    place = "c[0].sshPublicKey.propagationMethod"
    for method, name in (
        (SSHPropagation(no_cloud=CloudInitPropagation()), "noCloud"),
        (SSHPropagation(config_drive=CloudInitPropagation()), "configDrive"),
    ):
        text = f"c[0] requires a {name} volume to exist when the {name} propagationMethod is in use."
        assert problems(key(method)) == [(place, text)]


def test_exactly_one_of_each() -> None:
    assert problems(AccessCredential()) == [("c[0]", "c[0] must have exactly one access credential type set")]
    found = problems(key(SSHPropagation(), CredentialSource()))
    assert found == [
        ("c[0].sshPublicKey.source", "c[0] must have exactly one source set"),
        ("c[0].sshPublicKey.propagationMethod", "c[0] must have exactly one propagationMethod set"),
    ]
    password = AccessCredential(user_password=UserPassword(source=SOURCE, propagation_method=PasswordPropagation()))
    assert [field for field, _ in problems(password)] == ["c[0].userPassword.propagationMethod"]


def test_users() -> None:
    nobody = key(SSHPropagation(qemu_guest_agent=SSHAgentPropagation()))
    users = "c[0].sshPublicKey.propagationMethod.qemuGuestAgent.users"
    text = "c[0] requires at least one user to be present in the users list"
    assert problems(nobody) == [(users, text)]
    odd = key(SSHPropagation(qemu_guest_agent=SSHAgentPropagation(users=["../x", "a b"])))
    assert [field for field, _ in problems(odd)] == [f"{users}[0]", f"{users}[1]"]


def test_too_many() -> None:
    assert problems(*[AccessCredential()] * 257) == [("c", "c list exceeds the 256 element limit in length")]
