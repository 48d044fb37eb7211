from __future__ import annotations

from solovirt.controllers.vmi.records import GrantRecord, LaunchRecord, MachineRecords
from solovirt.host.model.bindings import Pins
from tests.unit.controllers.lab import Lab

LAUNCH = LaunchRecord("default", "vm", "uuid", ("qemu",), (1, 2), True, ("blob",), Pins(uuid="x"))


async def test_records_come_back(lab: Lab) -> None:
    records = MachineRecords(lab.objects.records)
    await records.put_pins("vm", Pins(uuid="u", macs={"a": "b"}))
    await records.put_launch("1", LAUNCH)
    await records.put_grant("2", GrantRecord(7, ("/x",)))
    await records.put_explanation("3", {"binary": "qemu", "rows": []})
    assert records.pins("vm") == Pins(uuid="u", macs={"a": "b"})
    assert records.launches() == {"1": LAUNCH}
    assert records.grants() == {"2": GrantRecord(7, ("/x",))}
    assert records.explanation("3") == {"binary": "qemu", "rows": []}
    assert records.uids() == {"1", "2", "3"}
    await records.drop_machine("1")
    await records.drop_machine("3")
    await records.drop_grant("2")
    await records.drop_pins("vm")
    assert records.uids() == set()
    assert (records.pins("vm"), records.launch("1"), records.grant("2"), records.explanation("3")) == (None,) * 4


async def test_writing_the_same_again_writes_nothing(lab: Lab) -> None:
    records = MachineRecords(lab.objects.records)
    await records.put_launch("1", LAUNCH)
    commits = lab.objects.commits
    await records.put_launch("1", LAUNCH)
    await records.drop_pins("nothing")
    assert lab.objects.commits == commits


async def test_a_damaged_record_counts_as_none(lab: Lab) -> None:
    records = MachineRecords(lab.objects.records)
    await lab.objects.records.put("launches", "1", b"{")
    await lab.objects.records.put("pins", "1", b'{"macs": 3}')
    assert records.launch("1") is None
    assert records.launches() == {}
    assert records.pins("1") is None
