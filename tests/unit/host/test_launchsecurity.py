from pathlib import Path

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import launchsecurity
from solovirt.host.kept import Places


def spec(security: dict[str, object] | None) -> VirtualMachineInstanceSpec:
    return msgspec.convert({"domain": {"launchSecurity": security}}, VirtualMachineInstanceSpec)


def test_what_was_sent_goes_into_files(tmp_path: Path) -> None:
    places = Places(tmp_path / "instance", tmp_path / "vm")
    places.instance.mkdir()
    asked = spec({"sev": {"session": "QUJD", "dhCert": "REVG"}})
    planned = launchsecurity.plan(asked, places)
    assert list(places.instance.iterdir()) == []
    assert launchsecurity.prepare(asked, places) == planned and planned is not None
    assert Path(planned.session).read_text() == "QUJD" and Path(planned.dh_cert).read_text() == "REVG"
    assert Path(planned.session).stat().st_mode & 0o077 == 0


def test_nothing_was_sent(tmp_path: Path) -> None:
    places = Places(tmp_path / "instance", tmp_path / "vm")
    kinds: list[dict[str, object] | None] = [None, {"snp": {}}, {"sev": {}}]
    for security in kinds:
        assert launchsecurity.prepare(spec(security), places) is None
    assert not places.instance.exists()
