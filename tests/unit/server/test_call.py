import pytest
from starlette.requests import Request

from solovirt.api.registry import find
from solovirt.server.call import Call, Services
from solovirt.server.requestinfo import parse
from solovirt.store.objects import Objects
from tests.support.fakes import FakeImages, FakeOperations


@pytest.mark.parametrize(
    ("path", "namespace", "home", "name"),
    [
        ("/api/v1/namespaces/a/configmaps/x", "a", "a", "x"),
        ("/api/v1/namespaces/a/configmaps", "a", "a", ""),
        ("/api/v1/configmaps", None, "", ""),
        ("/api/v1/namespaces", "", "", ""),
        ("/api/v1/namespaces/a", "", "", "a"),
    ],
)
async def test_where_an_object_lives(
    objects: Objects, images: FakeImages, path: str, namespace: str | None, home: str, name: str
) -> None:
    info = parse(path)
    assert info is not None
    resource = find(info.group, info.version, info.plural)
    assert resource is not None
    request = Request({"type": "http", "headers": [(b"accept", b"text/x")]})
    call = Call(request, Services(objects, FakeOperations(), images), info, resource)
    assert (call.namespace, call.home, call.name, call.accept) == (namespace, home, name, "text/x")
    assert call.objects is objects
