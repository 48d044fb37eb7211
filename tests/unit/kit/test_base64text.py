import pytest

from solovirt.kit.base64text import decoded_base64


@pytest.mark.parametrize(("text", "data"), [("", b""), ("aGk=", b"hi"), ("aG\nk=\r\n", b"hi")])
def test_decodes_as_go_does(text: str, data: bytes) -> None:
    assert decoded_base64(text) == data


@pytest.mark.parametrize("text", ["aGk", "a", "!!!!", "aG k=", "ä", "aGk=="])
def test_refuses_the_rest(text: str) -> None:
    assert decoded_base64(text) is None
