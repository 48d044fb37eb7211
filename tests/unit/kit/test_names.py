import pytest

from solovirt.kit import names


@pytest.mark.parametrize("text", ["a", "a-b", "0", "x" * 63])
def test_dns_labels(text: str) -> None:
    assert names.is_dns_label(text) and names.label_problem(text) == ""


@pytest.mark.parametrize("text", ["", "A", "-a", "a-", "a.b", "a_b", "x" * 64, "a\n", "ä", "a/b", ".."])
def test_no_dns_labels(text: str) -> None:
    assert not names.is_dns_label(text) and names.label_problem(text)


@pytest.mark.parametrize("text", ["a", "a.b", "a-1.b", ".".join(["x" * 63] * 3)])
def test_dns_subdomains(text: str) -> None:
    assert names.is_dns_subdomain(text) and names.subdomain_problem(text) == ""


@pytest.mark.parametrize("text", ["", "a..b", ".a", "a.", "A.b", "a.\n", "../x", "x" * 254])
def test_no_dns_subdomains(text: str) -> None:
    assert not names.is_dns_subdomain(text) and names.subdomain_problem(text)


def test_problems_use_kubernetes_words() -> None:
    assert "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'" in names.LABEL_TEXT
    assert names.label_problem("x" * 64) == "must be no more than 63 characters"
    assert names.subdomain_problem("A").startswith("a lowercase RFC 1123 subdomain must consist of")


@pytest.mark.parametrize("key", ["a", "A_b.c-1", "kubevirt.io/domain", "a.b/C"])
def test_label_keys(key: str) -> None:
    assert names.key_problem(key) == ""


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "name part must be non-empty"),
        ("/a", "prefix part must be non-empty"),
        ("a/", "name part must be non-empty"),
        ("A/b", "prefix part a lowercase RFC 1123 subdomain"),
        ("a/b/c", "prefix part a lowercase"),
        ("-a", "name part must consist of"),
        ("x" * 64, "name part must be no more than 63 characters"),
    ],
)
def test_wrong_label_keys(key: str, problem: str) -> None:
    assert names.key_problem(key).startswith(problem)


def test_label_values() -> None:
    assert [names.label_value_problem(value) for value in ("", "a", "A.b_c-1")] == ["", "", ""]
    assert names.label_value_problem("a b").startswith("a valid label must be an empty string or consist of")
    assert names.label_value_problem("x" * 64) == "must be no more than 63 characters"


@pytest.mark.parametrize(
    ("word", "found"),
    [("runStrategi", "runStrategy"), ("macaddress", "macAddress"), ("zzz", None), ("x" * 100, None), ("cpus", "cpu")],
)
def test_nearest_name(word: str, found: str | None) -> None:
    assert names.nearest(word, ["runStrategy", "macAddress", "cpu"]) == found
