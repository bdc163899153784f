from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.errors import Refused
from surefoot.wire.fields import Fields, encode_object, parse_object

CODE = "refused-offer-format"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    try:
        assert isinstance(parse_object(data, CODE, 100), dict)
    except Refused as refusal:
        assert refusal.code == CODE
    else:
        assert len(data) <= 100


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_any_object_comes_back_as_it_was(value: dict[str, Any]) -> None:
    assert parse_object(encode_object(value), CODE, 1 << 20) == value


@given(JSON)
def test_any_value_is_read_as_what_it_must_be_or_refused(value: Any) -> None:
    fields = Fields({"key": value}, CODE, "offer")
    readers: list[Any] = [
        lambda: fields.text("key", 10),
        lambda: fields.digest("key"),
        lambda: fields.integer("key", 100),
        lambda: fields.flag("key"),
        lambda: fields.choice("key", ("a", "b")),
        lambda: fields.array("key", 3),
        lambda: fields.nested("key"),
        lambda: Fields(value, CODE, "offer"),
    ]
    for read in readers:
        try:
            read()
        except Refused as refusal:
            assert refusal.code == CODE
