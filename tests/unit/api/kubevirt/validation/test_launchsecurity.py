import pytest

from ...samples import only, spec_causes

EFI = {"bootloader": {"efi": {"secureBoot": False}}}


def causes(security: dict[str, object], **domain: object) -> list[str]:
    changes = {"domain.launchSecurity": security, "domain.firmware": EFI}
    changes |= {f"domain.{name}": value for name, value in domain.items()}
    found = spec_causes(changes)
    assert all(cause.field.startswith("spec.domain.launchSecurity") for cause in found)
    return [cause.message for cause in found]


@pytest.mark.parametrize("security", [{}, {"sev": {}, "snp": {}}, {"snp": {}, "tdx": {}}])
def test_exactly_one(security: dict[str, object]) -> None:
    cause = only(spec_causes({"domain.launchSecurity": security, "domain.firmware": EFI}))
    assert cause.message == "One and only one launchSecurity type can be set"
    assert cause.reason == "FieldValueForbidden"


@pytest.mark.parametrize(("kind", "name"), [("sev", "SEV"), ("snp", "SNP"), ("tdx", "TDX")])
def test_firmware(kind: str, name: str) -> None:
    assert causes({kind: {}}) == []
    assert causes({kind: {}}, firmware={"bootloader": {"bios": {}}}) == [f"{name} requires OVMF (UEFI)"]
    kept = {"bootloader": {"efi": {"secureBoot": False, "persistent": True}}}
    assert causes({kind: {}}, firmware=kept) == (
        [] if kind == "sev" else [f"{name} does not work along with Persistent EFI variables"]
    )


def test_secure_boot_needs_smm_which_encrypted_guests_do_not_have() -> None:
    on = {"bootloader": {"efi": {}}}
    assert causes({"snp": {}}, firmware=on, features={"smm": {}}) == ["SNP does not work along with SecureBoot"]
    assert causes({"tdx": {}}, firmware=on) == []
    assert causes({"tdx": {}}, features={"smm": {}}) == ["TDX does not work along with SMM"]


def test_attestation_needs_a_guest_that_waits() -> None:
    assert causes({"sev": {"attestation": {}}}) == ["SEV attestation requires VMI StartStrategy 'Paused'"]


def test_what_the_owner_sends_is_base64() -> None:
    assert causes({"sev": {"session": "QUJD", "dhCert": "QUJD"}}) == []
    for wrong in ("not base64", "QUJ", "QUJD" * 20000):
        assert "must be base64" in causes({"sev": {"session": wrong}})[0]


def test_no_bootable_nic() -> None:
    interfaces = [{"name": "default", "masquerade": {}, "bootOrder": 1}]
    found = spec_causes(
        {
            "domain.launchSecurity": {"sev": {}},
            "domain.firmware": EFI,
            "domain.devices.interfaces": interfaces,
            "domain.devices.disks": [],
            "volumes": [],
        }
    )
    assert "SEV does not work with bootable NICs: default" in [cause.message for cause in found]
