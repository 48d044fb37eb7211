from solovirt.kit.jsontypes import JsonObject, get_int, get_list, get_object, get_str

VALUE: JsonObject = {"object": {"a": 1}, "list": [1], "text": "x", "number": 3, "flag": True, "null": None}


def test_each_takes_its_own_type() -> None:
    assert get_object(VALUE, "object") == {"a": 1}
    assert get_list(VALUE, "list") == [1]
    assert get_str(VALUE, "text") == "x"
    assert get_int(VALUE, "number") == 3


def test_wrong_types_and_absent_keys_give_the_default() -> None:
    for key in ("null", "flag", "none"):
        assert get_object(VALUE, key) == {}
        assert get_list(VALUE, key) == []
        assert get_str(VALUE, key, "d") == "d"
        assert get_int(VALUE, key, 7) == 7
