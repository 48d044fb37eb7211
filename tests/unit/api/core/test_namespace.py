from solovirt.api.core.namespace import RESOURCE, Namespace, NamespaceStatus, default, validate
from solovirt.api.meta import ObjectMeta


def test_a_new_namespace_is_active() -> None:
    made = Namespace(metadata=ObjectMeta(name="default"))
    default(made)
    assert made.status.phase == "Active" and validate(made, None) == []
    ending = Namespace(status=NamespaceStatus(phase="Terminating"))
    default(ending)
    assert ending.status.phase == "Terminating"


def test_names_are_dns_labels() -> None:
    [cause] = validate(Namespace(metadata=ObjectMeta(name="a.b")), None)
    assert cause.message.startswith('metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label')


def test_selectors() -> None:
    assert RESOURCE.selectable(Namespace(status=NamespaceStatus(phase="Active"))) == {"status.phase": "Active"}
