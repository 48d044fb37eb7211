from pathlib import Path

import msgspec
import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import hugetlbfs, moment
from solovirt.host.kept import Places
from solovirt.host.model.bindings import Bindings, Pins, Sockets

EMPTY = Bindings("ns", "n", Sockets("", "", "", "", ""), Pins())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "instance", tmp_path / "vm")


def spec(domain: dict[str, object]) -> VirtualMachineInstanceSpec:
    return msgspec.convert({"domain": domain}, VirtualMachineInstanceSpec)


def test_a_plain_machine_needs_nothing(places: Places) -> None:
    asked = spec({})
    for made in (moment.planned(asked, {}, places), moment.prepare(asked, {}, places)):
        assert made.bound(EMPTY, asked) == EMPTY


def test_the_time_is_worked_out_last(places: Places) -> None:
    asked = spec({"clock": {"utc": {"offsetSeconds": 60}}})
    assert moment.planned(asked, {}, places).bound(EMPTY, asked).rtc_base


def test_files_of_huge_pages_only_where_a_memfd_is_refused(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hugetlbfs, "directory", lambda page: str(tmp_path / "huge") if page == 2 << 20 else "")
    asked = spec({"memory": {"hugepages": {"pageSize": "2Mi"}}})
    refused = {moment.MEMFD: "false"}
    assert moment.prepare(asked, {}, places).hugetlbfs == ""
    assert moment.planned(asked, refused, places).hugetlbfs == str(tmp_path / "huge")
    assert not (tmp_path / "huge").exists()
    assert moment.prepare(asked, refused, places).hugetlbfs == str(tmp_path / "huge")
    assert (tmp_path / "huge").is_dir()
    assert moment.planned(spec({}), refused, places).hugetlbfs == ""
