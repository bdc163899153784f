from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from surefoot.wire.codes import CODES
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.journal import blank_journal, encode_journal, load_journal
from surefoot.wire.limits import OFFER_BYTES_MAX
from surefoot.wire.offer import Answer, Offer, encode_answer, offer_from_object, offer_to_object, parse_answer
from wire.strategies import ANSWERS, OFFERS, spoilt
from wire.wire_case import OFFER


@given(OFFERS)
def test_any_offer_comes_back_as_it_was(offer: Offer) -> None:
    assume(len(encode_object(offer_to_object(offer))) <= OFFER_BYTES_MAX)
    assert offer_from_object(offer_to_object(offer)) == offer


@given(ANSWERS)
def test_any_answer_comes_back_as_it_was(answer: Answer) -> None:
    assert parse_answer(encode_answer(answer)) == answer


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_refused(data: bytes) -> None:
    try:
        parse_answer(data)
    except Refused as refusal:
        assert refusal.code in CODES


@given(spoilt(offer_to_object(OFFER)))
def test_a_spoilt_offer_is_refused_or_what_was_taken_can_be_remembered(source: Any) -> None:
    try:
        offer = offer_from_object(source)
    except Refused as refusal:
        assert refusal.code in CODES
    else:
        journal = blank_journal("epoch-1").replace(state="downloading", offer=offer)
        assert load_journal((encode_journal(journal, 1), b"")).journal == journal
