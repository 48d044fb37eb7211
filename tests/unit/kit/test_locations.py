import pytest

from solovirt.kit import locations
from solovirt.kit.errors import HostError


@pytest.mark.parametrize(
    ("environ", "euid", "state", "runtime"),
    [
        ({}, 0, "/var/lib/solovirt", "/run/solovirt"),
        ({"HOME": "/home/u"}, 7, "/home/u/.local/state/solovirt", "/tmp/solovirt-7"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, 7, "/s/solovirt", "/r/solovirt"),
        ({"HOME": "/h", "XDG_STATE_HOME": "s"}, 7, "/h/.local/state/solovirt", "/tmp/solovirt-7"),
        ({"HOME": "/h", "XDG_RUNTIME_DIR": "r"}, 7, "/h/.local/state/solovirt", "/tmp/solovirt-7"),
        ({"SOLOVIRT_STATE_DIR": "/a", "SOLOVIRT_RUNTIME_DIR": "/b"}, 0, "/a", "/b"),
    ],
)
def test_directories(environ: dict[str, str], euid: int, state: str, runtime: str) -> None:
    assert locations.state_dir(environ, euid) == state
    assert locations.runtime_dir(environ, euid) == runtime
    assert locations.socket_path(environ, euid) == runtime + "/solovirt.sock"


def test_relative_overrides_are_refused() -> None:
    """They would name one place for the command and another for the daemon that it starts."""
    with pytest.raises(HostError, match="SOLOVIRT_STATE_DIR is 'here': it must be an absolute path"):
        locations.state_dir({"SOLOVIRT_STATE_DIR": "here"}, 0)
    with pytest.raises(HostError, match="SOLOVIRT_RUNTIME_DIR"):
        locations.socket_path({"SOLOVIRT_RUNTIME_DIR": "./here"}, 0)
