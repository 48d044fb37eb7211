import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.validation import text


@pytest.mark.parametrize("path", ["/disk/a.img", "/boot/vmlinuz-virt", "/a b", "/ä"])
def test_clean_paths(path: str) -> None:
    assert text.is_clean_path(path)


@pytest.mark.parametrize(
    "path", ["", "a", "./a", "/../a", "/a/../b", "/a/./b", "//a", "/a/", "/a//b", "/a\n", "/a\0", "/..", "/."]
)
def test_paths_that_could_lead_elsewhere(path: str) -> None:
    assert not text.is_clean_path(path)


@given(st.text("/.a\n\0", max_size=12))
@settings(max_examples=300)
def test_no_clean_path_has_relative_components(path: str) -> None:
    if text.is_clean_path(path):
        assert (path.startswith("/") and not {"", ".", ".."} & set(path[1:].split("/"))) or path == "/"
        assert path.isprintable()


@pytest.mark.parametrize("image", ["fedora", "quay.io/a/b:1.2", "reg:5000/a_b@sha256:0", "solovirt/tiny"])
def test_images(image: str) -> None:
    causes = Causes()
    text.check_image(causes, image, "f")
    assert causes.found == []


@pytest.mark.parametrize(
    "image", ["", "-x", "--help", "a b", "a\nb", "a,b", "a;b", "../a", "/a", "ä", "a" * 600, "$(a)"]
)
def test_texts_that_are_no_image(image: str) -> None:
    causes = Causes()
    text.check_image(causes, image, "f")
    assert [cause.field for cause in causes.found] == ["f"]


@pytest.mark.parametrize("value", ["a,b", "a=b", "a\nb", 'a"b', "a b", "a\0", "ä", "a;b"])
def test_what_qemu_could_misread_is_no_expression(value: str) -> None:
    causes = Causes()
    text.check_expression(causes, value, "f")
    text.check_serial(causes, value, "g")
    assert [cause.field for cause in causes.found] == ["f", "g"]


def test_lengths() -> None:
    causes = Causes()
    text.check_serial(causes, "a" * 257, "s")
    text.check_printable(causes, "a" * 11, "p", 10)
    text.check_volume_label(causes, "a" * 33, "l")
    assert [cause.message for cause in causes.found] == [
        "s must be less than or equal to 256 in length, if specified",
        'p: Invalid value: "aaaaaaaaaaa": must be no more than 10 characters',
        f'l: Invalid value: "{"a" * 33}": must be no more than 32 printable ASCII characters',
    ]


def test_uuids() -> None:
    causes = Causes()
    text.check_uuid(causes, "", "f")
    text.check_uuid(causes, "5D307ca9-b3ef-428c-8861-06e72d69f223", "f")
    assert causes.found == []
    for wrong in ("x", "5d307ca9b3ef428c886106e72d69f223", "5d307ca9-b3ef-428c-8861-06e72d69f223\n"):
        text.check_uuid(causes, wrong, "f")
    assert len(causes.found) == 3


def test_pull_and_references() -> None:
    causes = Causes()
    text.check_pull(causes, "Sometimes", "a\nb", "f")
    assert [cause.field for cause in causes.found] == ["f.imagePullPolicy", "f.imagePullSecret"]
    text.check_pull(causes, "Never", "secret", "f")
    text.check_pull(causes, "Never", "IfNotPresent", "f")
    text.check_reference(causes, "", "g")
    text.check_reference(causes, "../x", "g")
    assert [cause.reason for cause in causes.found[2:]] == ["FieldValueRequired", "FieldValueInvalid"]


def test_root_is_no_file() -> None:
    causes = Causes()
    text.check_file_path(causes, "/", "f")
    text.check_file_path(causes, "a/../b", "f")
    text.check_file_path(causes, "/a", "f")
    assert [cause.message for cause in causes.found] == [
        "f must not point to root",
        "f must be an absolute path to a file without relative components",
    ]


def test_pci_addresses() -> None:
    assert text.is_pci_address("0000:81:01.0")
    for wrong in ("81:01.0", "0000:81:01.8", "0000:81:21.0", "0000:81:01.0 "):
        assert not text.is_pci_address(wrong)


def test_expressions() -> None:
    assert text.is_expression("Skylake-Client-v1+x_y.z") and not text.is_expression("")
