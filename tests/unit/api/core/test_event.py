from solovirt.api.core.event import RESOURCE, Event, EventSource, ObjectReference, last_seen, validate
from solovirt.api.meta import ObjectMeta
from solovirt.api.selectors import parse_fields


def event(**fields: object) -> Event:
    about = ObjectReference(kind="VirtualMachine", namespace="default", name="web", uid="u")
    return Event(metadata=ObjectMeta(name="e", namespace="default"), involved_object=about, **fields)


def test_rules() -> None:
    assert validate(event(type="Normal"), None) == []
    [cause] = validate(event(type="Bad"), None)
    assert cause.message == 'type: Unsupported value: "Bad": supported values: "Normal", "Warning"'
    other = event()
    other.involved_object.namespace = "x"
    assert validate(other, None)[0].message.endswith("does not match event.namespace")


def test_last_seen_is_the_newest_time_there_is() -> None:
    assert last_seen(event(last_timestamp="l", event_time="e", first_timestamp="f")) == "l"
    assert last_seen(event(event_time="e", first_timestamp="f")) == "e"
    assert last_seen(event(first_timestamp="f")) == "f"
    assert last_seen(event()) is None


def test_columns() -> None:
    made = event(reason="Started", type="Normal", message=" up \n", source=EventSource(component="solovirt", host="h"))
    cells = {column.name: column.cell(made) for column in RESOURCE.columns}
    assert cells["Object"] == "virtualmachine/web" and cells["Message"] == "up"
    assert cells["Source"] == "solovirt, h" and cells["Count"] == 1


def test_kubectl_describe_finds_them() -> None:
    text = (
        "involvedObject.name=web,involvedObject.namespace=default,involvedObject.kind=VirtualMachine,"
        "involvedObject.uid=u"
    )
    assert parse_fields(text).matches(RESOURCE.selectable(event()))
    assert not parse_fields("reason!=").matches(RESOURCE.selectable(event()))
