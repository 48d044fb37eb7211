from pathlib import Path

from solovirt.kit import locations, paths


def test_everything_is_below_the_two_directories() -> None:
    found = paths.Paths(state=Path("/s"), runtime=Path("/r"))
    below = (found.database, found.lock, found.images, found.volumes, found.facts, found.log, found.instance("u"))
    assert all(path.is_relative_to("/s") for path in below) and len(set(below)) == len(below)
    assert found.sockets("u") == Path("/r/vmi/u")


def test_the_socket_is_where_the_cli_looks() -> None:
    environ = {"SOLOVIRT_STATE_DIR": "/a", "SOLOVIRT_RUNTIME_DIR": "/b"}
    found = paths.from_environment(environ, 1000)
    assert str(found.socket) == locations.socket_path(environ, 1000)
    assert found.state == Path("/a")


def test_the_users_own_id_is_the_default() -> None:
    assert paths.from_environment({"HOME": "/home/u", "XDG_RUNTIME_DIR": "/r"}).runtime.name == "solovirt"
