from support import code_of
from surefoot.wire.limits import ANSWER_BYTES_MAX, ASSIGNMENT_ID_CHARS_MAX, OFFER_BYTES_MAX
from surefoot.wire.offer import Answer, encode_answer, offer_from_object, offer_to_object, parse_answer
from wire.wire_case import ANSWER, DELTA, OFFER, offer_of_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MINIMAL: "dict[str, Any]" = {"url": "https://fleet.example/1", "sha256": "ef" * 32, "version": "0.3.0"}


def changed(**changes: "Any") -> "dict[str, Any]":
    source = offer_to_object(OFFER)
    source.update(changes)
    return source


def test_an_offer_comes_back_as_it_was() -> None:
    assert offer_from_object(offer_to_object(OFFER)) == OFFER
    bare = OFFER.replace(
        size_bytes=None, digest=None, sku=None, release=None, manifest=None, force=False, rollback=False, delta=None
    )
    assert offer_from_object(offer_to_object(bare)) == bare
    assert sorted(offer_to_object(bare)) == ["attempt", "id", "sha256", "url", "version"]


def test_the_minimal_command_is_one_assignment_however_often_it_comes() -> None:
    offer = offer_from_object(MINIMAL)
    assert offer == offer_from_object(MINIMAL)
    assert offer.id == "sha256-" + "ef" * 16 and len(offer.id) <= ASSIGNMENT_ID_CHARS_MAX
    assert offer.attempt == 1 and not offer.force and not offer.rollback
    other = dict(MINIMAL)
    other["sha256"] = "aa" * 32
    assert offer_from_object(other).id != offer.id
    for name in MINIMAL:
        less = {key: value for key, value in MINIMAL.items() if key != name}
        assert code_of(offer_from_object, less) == "refused-offer-format", name


def test_a_malformed_offer_is_refused() -> None:
    for name, value in (
        ("id", "a" * 64),
        ("id", "a/b"),
        ("id", ""),
        ("url", "x" * 513),
        ("url", ""),
        ("url", "https://fleet.example/1 HTTP/1.1\r\nHost: elsewhere"),
        ("url", "https://fl\u00f6te.example/1"),
        ("sha256", "EF" * 32),
        ("size_bytes", -1),
        ("size_bytes", 64 * 1024 * 1024 + 1),
        ("digest", "00"),
        ("sku", "a b"),
        ("force", 1),
        ("rollback", "true"),
        ("attempt", -1),
        ("attempt", True),
        ("version", 3),
        ("delta", "https://fleet.example/2"),
        ("delta", {}),
    ):
        assert code_of(offer_from_object, changed(**{name: value})) == "refused-offer-format", (name, value)
    sources: "list[Any]" = [None, [], "offer"]
    for source in sources:
        assert code_of(offer_from_object, source) == "refused-offer-format"
    assert code_of(offer_from_object, changed(version="0.3")) == "refused-version-format"
    assert code_of(offer_from_object, changed(manifest={})) == "refused-manifest-format"


def test_an_offer_that_no_journal_could_hold_is_refused() -> None:
    fits = offer_of_bytes(OFFER_BYTES_MAX)
    assert offer_from_object(offer_to_object(fits)) == fits
    assert code_of(offer_from_object, offer_to_object(offer_of_bytes(OFFER_BYTES_MAX + 1))) == "refused-offer-format"


def test_a_malformed_delta_is_refused_with_its_offer() -> None:
    source = offer_to_object(OFFER)["delta"]
    for name, value in (
        ("url", "https://fleet.example/2\r\n"),
        ("sha256", "98"),
        ("size_bytes", None),
        ("size_bytes", 64 * 1024 * 1024 + 1),
        ("source_digest", 7),
    ):
        spoilt = dict(source)
        spoilt[name] = value
        assert code_of(offer_from_object, changed(delta=spoilt)) == "refused-offer-format", (name, value)


def test_a_delta_that_makes_the_offer_too_long_to_remember_is_left_out() -> None:
    longest = offer_of_bytes(OFFER_BYTES_MAX)
    assert offer_from_object(offer_to_object(longest.replace(delta=DELTA))) == longest


def test_an_answer_comes_back_as_it_was() -> None:
    nothing = Answer(acknowledged=None, offer=None, cancelled=None, stale=False, next_check_s=None)
    for answer in (ANSWER, nothing, ANSWER.replace(offer=None), nothing.replace(acknowledged="a")):
        assert parse_answer(encode_answer(answer)) == answer
    assert parse_answer(b"{}") == nothing


def test_a_malformed_answer_is_refused() -> None:
    for data in (
        b"",
        b"<html>",
        b"[]",
        b'{"next_check_s": -1}',
        b'{"stale": 1}',
        b'{"stale": null}',
        b'{"acknowledged": 7}',
        b'{"acknowledged": "a b"}',
    ):
        assert code_of(parse_answer, data) == "refused-answer-format", data
    assert code_of(parse_answer, b'{"order": 1}') == "refused-offer-format"
    assert code_of(parse_answer, b'{"order": {}}') == "refused-offer-format"
    assert code_of(parse_answer, b'{"padding": "' + b"x" * ANSWER_BYTES_MAX + b'"}') == "refused-answer-format"
