from solovirt.api.kubevirt.virtualmachineinstance import InterfaceStatus
from solovirt.api.kubevirt.virtualmachineinstance_resource import RESOURCE
from solovirt.api.meta import Condition

from ..samples import vmi


def test_columns() -> None:
    made = vmi()
    assert [column.cell(made) for column in RESOURCE.columns] == [None, "", None, "", None, None, None]
    made.status.phase, made.status.node_name = "Running", "host"
    made.status.interfaces = [InterfaceStatus(ip_address="10.0.2.2")]
    made.status.conditions = [Condition(type="Ready", status="True"), Condition(type="Paused", status="True")]
    assert [column.cell(made) for column in RESOURCE.columns][1:] == [
        "Running",
        "10.0.2.2",
        "host",
        "True",
        None,
        "True",
    ]
