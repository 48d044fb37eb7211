"""The rooms below have the shapes that the server asks for: names, parameters and all."""

import inspect

import pytest

from solovirt.controllers.operations import Operations as RealOperations
from solovirt.server import interfaces
from solovirt.server.imagecache import ImageCache
from tests.support.fakes import EchoConsole, FakeImages, FakeOperations


def methods(kind: type) -> dict[str, list[tuple[str, object, object]]]:
    return {
        name: [(p.name, p.kind, p.default) for p in inspect.signature(member).parameters.values()]
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (interfaces.Operations, RealOperations),
        (interfaces.Operations, FakeOperations),
        (interfaces.Images, ImageCache),
        (interfaces.Images, FakeImages),
        (interfaces.ConsoleSession, EchoConsole),
    ],
)
def test_shapes(wanted: type, given: type) -> None:
    have = methods(given)
    for name, parameters in methods(wanted).items():
        assert have[name] == parameters, name
        assert inspect.iscoroutinefunction(getattr(given, name)), name
