import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.server.requestinfo import RequestInfo, parse


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/api/v1/namespaces", RequestInfo("", "v1", "", "namespaces", "", (), False)),
        ("/api/v1/namespaces/a", RequestInfo("", "v1", "", "namespaces", "a", (), False)),
        ("/api/v1/namespaces/a/status", RequestInfo("", "v1", "", "namespaces", "a", ("status",), False)),
        ("/api/v1/namespaces/a/secrets", RequestInfo("", "v1", "a", "secrets", "", (), False)),
        ("/api/v1/namespaces/a/secrets/s", RequestInfo("", "v1", "a", "secrets", "s", (), False)),
        ("/apis/g/v/vms", RequestInfo("g", "v", "", "vms", "", (), False)),
        ("/apis/g/v/namespaces/a/vms/n/x/y", RequestInfo("g", "v", "a", "vms", "n", ("x", "y"), False)),
        ("/apis/g/v/watch/namespaces/a/vms/n", RequestInfo("g", "v", "a", "vms", "n", (), True)),
        ("/apis/g/v/watch/vms", RequestInfo("g", "v", "", "vms", "", (), True)),
        ("/api/v1/namespaces/a/secrets/", RequestInfo("", "v1", "a", "secrets", "", (), False)),
    ],
)
def test_paths(path: str, wanted: RequestInfo) -> None:
    assert parse(path) == wanted


@pytest.mark.parametrize("path", ["/", "/x", "/api/v1", "/apis/g/v", "/apis/g/v/watch", "/api/v1//secrets", "/apis/g"])
def test_what_is_no_resource(path: str) -> None:
    assert parse(path) is None


@settings(max_examples=100)
@given(st.text(alphabet="/avs.-", max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    found = parse("/" + text)
    assert found is None or found.plural
