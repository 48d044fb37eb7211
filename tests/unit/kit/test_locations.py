import pytest

from solovirt.kit import locations


@pytest.mark.parametrize(
    ("environ", "euid", "state", "runtime"),
    [
        ({}, 0, "/var/lib/solovirt", "/run/solovirt"),
        ({"HOME": "/home/u"}, 7, "/home/u/.local/state/solovirt", "/tmp/solovirt-7"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, 7, "/s/solovirt", "/r/solovirt"),
        ({"SOLOVIRT_STATE_DIR": "/a", "SOLOVIRT_RUNTIME_DIR": "/b"}, 0, "/a", "/b"),
    ],
)
def test_directories(environ: dict[str, str], euid: int, state: str, runtime: str) -> None:
    assert locations.state_dir(environ, euid) == state
    assert locations.runtime_dir(environ, euid) == runtime
    assert locations.socket_path(environ, euid) == runtime + "/solovirt.sock"
