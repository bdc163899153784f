from support import code_of
from surefoot.wire.errors import Refused
from surefoot.wire.fields import HEX_DIGITS, PRINTABLE_CHARS, Fields, encode_object, parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-offer-format"


def of(value: "Any") -> Fields:
    return Fields({"key": value}, CODE, "offer")


def refused(function: "Any", *args: "Any") -> bool:
    return code_of(function, *args) == CODE


def test_an_object_is_read_and_anything_else_is_refused() -> None:
    assert parse_object(b'{"a": [1, null, "\xc3\xa4"]}', CODE, 100) == {"a": [1, None, "\xe4"]}
    for data in (b"", b"[]", b"1", b'"a"', b"null", b"{", b'{"a": 1} 2', b"\xff\xfe", b'{"a": \xff}'):
        assert refused(parse_object, data, CODE, 100), data


def test_an_object_of_just_the_allowed_length_is_read() -> None:
    assert parse_object(b'{"a":123}', CODE, 9) == {"a": 123}
    assert refused(parse_object, b'{"a":1234}', CODE, 9)


def test_a_deeply_nested_message_is_refused() -> None:
    assert refused(parse_object, b'{"a":' + b"[" * 5000, CODE, 8192)


def test_what_is_encoded_can_be_parsed() -> None:
    value = {"a": '\xe4\u20ac\n"\\', "b": [1, True, None], "c": {"d": 2**53 - 1}}
    assert parse_object(encode_object(value), CODE, 200) == value


def test_only_an_object_has_fields() -> None:
    sources: "list[Any]" = [[], "text", 1, None]
    for source in sources:
        assert refused(Fields, source, CODE, "offer")


def test_text_has_a_length_and_an_alphabet() -> None:
    assert of("abc").text("key", 3) == "abc"
    assert of("\xe4\u20ac").text("key", 2) == "\xe4\u20ac"
    for value in ("", "abcd", 1, True, ["a"], {"a": 1}, None):
        assert refused(of(value).text, "key", 3), value
    assert of("abc").text("key", 3, HEX_DIGITS) == "abc"
    for value in ("abg", "ABC", "a\0"):
        assert refused(of(value).text, "key", 3, HEX_DIGITS)


def test_printable_characters_are_those_that_neither_move_a_cursor_nor_break_a_database() -> None:
    assert len(PRINTABLE_CHARS) == 95 and " " in PRINTABLE_CHARS and "~" in PRINTABLE_CHARS
    for value in ("a\0", "a\n", "\x1b[1m", "a\x7f", "\xe4"):
        assert refused(of(value).text, "key", 10, PRINTABLE_CHARS)


def test_absent_and_null_are_alike_where_a_field_is_optional() -> None:
    for fields in (of(None), Fields({}, CODE, "offer")):
        assert fields.optional_text("key", 3) is None
        assert fields.optional_digest("key") is None
        assert fields.optional_integer("key") is None
        assert fields.array("key", 3) == []
        assert not fields.has("key")
    assert of(0).optional_integer("key") == 0
    assert refused(of("").optional_text, "key", 3)


def test_a_digest_is_64_lower_case_hex_digits() -> None:
    assert of("0a" * 32).digest("key") == "0a" * 32
    for value in ("0a" * 31, "0a" * 32 + "0", "0A" * 32, "0g" * 32, None, 0):
        assert refused(of(value).digest, "key"), value


def test_integers_have_a_range_and_are_neither_booleans_nor_fractions() -> None:
    assert of(0).integer("key") == 0
    assert of(7).integer("key", 7) == 7
    for value in (-1, 8, True, False, 1.0, "1", None, [1]):
        assert refused(of(value).integer, "key", 7), value
    assert of(2**53 - 1).integer("key") == 2**53 - 1
    assert refused(of(2**53).integer, "key")


def test_a_flag_is_true_false_or_absent() -> None:
    assert of(True).flag("key") is True
    assert of(False).flag("key") is False
    assert Fields({}, CODE, "offer").flag("key") is False
    wrong: "list[Any]" = [0, 1, "true", []]
    for value in wrong:
        assert refused(of(value).flag, "key")


def test_a_choice_is_one_of_the_words() -> None:
    assert of("a").choice("key", ("a", "b")) == "a"
    for value in ("c", "", None, 0, ["a"], True):
        assert refused(of(value).choice, "key", ("a", "b")), value


def test_an_array_has_a_length() -> None:
    assert of([1, 2]).array("key", 2) == [1, 2]
    for value in ([1, 2, 3], "ab", {"a": 1}, 1):
        assert refused(of(value).array, "key", 2)


def test_what_is_wrong_inside_is_named_from_the_outside() -> None:
    inner = of({"word": 1}).nested("key")
    try:
        inner.text("word", 3)
    except Refused as refusal:
        assert "offer.key: word must be" in str(refusal)
    else:
        raise AssertionError("it was taken")
    assert refused(of([]).nested, "key")
