from __future__ import annotations

from solovirt.controllers.vmi.dumps import DumpRecord, DumpRecords
from solovirt.controllers.vmi.records import DUMPS
from tests.unit.controllers.lab import Lab


async def test_records(lab: Lab) -> None:
    records, record = DumpRecords(lab.objects.records), DumpRecord("ns", "vm", "claim", "file")
    await records.put("uid", record)
    await lab.objects.records.put(DUMPS, "broken", b"{")
    assert records.all() == {"uid": record}
    assert (
        records.uses(("ns", "claim")) and not records.uses(("ns", "other")) and not records.uses(("default", "claim"))
    )
    await records.drop("uid")
    await records.drop("uid")
    assert records.all() == {}
