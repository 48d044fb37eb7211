from solovirt.kit.linemap import LineMap, Places, split_field

ITEM = Places(4, 5, {"name": Places(4, 5)})
ROOT = Places(1, 1, {"spec": Places(2, 1, {"disks": Places(3, 3, {0: ITEM}), "a.b/c": Places(9, 9)})})
LINES = LineMap("vm.yaml", ROOT)


def test_locates_keys_and_items() -> None:
    assert LINES.locate(()) == (1, 1)
    assert LINES.locate(("spec", "disks", 0)) == (4, 5)
    assert LINES.locate(("spec", "disks", 1)) is None
    assert LINES.locate(("spec", "disks", 0, "name", "deeper")) is None


def test_under_a_path_places_are_those_of_the_whole() -> None:
    assert LINES.under(("spec", "disks")).locate((0, "name")) == (4, 5)
    assert LINES.under(("spec", "none")).locate(("disks",)) == (3, 3), "as near as it goes"
    assert LINES.under(("none", "spec")).locate(()) == (1, 1), "and no further"


def test_nearest_is_the_longest_part_that_is_there() -> None:
    assert LINES.nearest(("spec", "disks", 0, "bus")) == (4, 5)
    assert LINES.nearest(("metadata",)) == (1, 1)


def test_prefix_takes_field_paths() -> None:
    assert LINES.prefix("spec.disks[0].name") == "vm.yaml:4:5: "
    assert LINES.prefix(("spec",)) == "vm.yaml:2:1: "
    assert LINES.prefix("") == "vm.yaml:1:1: "


def test_fields_split() -> None:
    assert split_field("spec.disks[10].name") == ("spec", "disks", 10, "name")
    assert split_field("metadata.labels[a.b/c]") == ("metadata", "labels", "a.b/c")
    assert split_field("") == ()
