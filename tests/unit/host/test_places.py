from __future__ import annotations

from pathlib import Path

from solovirt.host.places import sockets_of
from solovirt.kit.paths import Paths


def test_sockets_lie_in_the_runtime_directory_and_the_log_in_the_state(tmp_path: Path) -> None:
    paths = Paths(state=tmp_path / "state", runtime=tmp_path / "run")
    found = sockets_of(paths, "u")
    folder = f"{tmp_path}/run/vmi/u"
    assert (found.qmp, found.tpm, found.downward_metrics) == (
        f"{folder}/qmp.sock",
        f"{folder}/tpm.sock",
        f"{folder}/metrics.sock",
    )
    assert [Path(path).name for path in found.usbredir] == [f"usbredir{number}.sock" for number in range(4)]
    assert found.serial_log == f"{tmp_path}/state/instances/u/serial.log"
    assert found.reservations.startswith("/")
