from support import code_of
from surefoot.wire.errors import Refused
from surefoot.wire.record import Record


class Pair(Record):
    __slots__ = ("left", "right")
    left: int
    right: object


class Even(Record):
    __slots__ = ("number",)
    number: int

    def check(self) -> None:
        if self.number % 2:
            raise Refused("refused-offer-format", "odd")


class Empty(Record):
    __slots__ = ()


class Void(Record):
    __slots__ = ()


def test_fields_are_read_by_name() -> None:
    pair = Pair(left=1, right="r")
    assert (pair.left, pair.right) == (1, "r")


def test_a_missing_or_unknown_field_is_a_programmers_mistake() -> None:
    assert code_of(Pair, left=1) == "misuse-record"
    assert code_of(Pair, left=1, right=2, middle=3) == "misuse-record"


def test_a_record_is_frozen() -> None:
    pair = Pair(left=1, right=2)
    for name in ("left", "another"):
        try:
            setattr(pair, name, 3)
        except AttributeError:
            pass
        else:
            raise AssertionError(name)
    assert pair == Pair(left=1, right=2)


def test_records_are_equal_by_type_and_value() -> None:
    assert Pair(left=1, right=2) == Pair(left=1, right=2)
    assert Pair(left=1, right=2) != Pair(left=1, right=3)
    assert Empty() == Empty()
    assert Empty() != Void()
    assert Pair(left=1, right=2) != (1, 2)


def test_equal_records_are_one_key() -> None:
    assert len({Pair(left=1, right=2), Pair(left=1, right=2), Pair(left=2, right=1), Empty(), Void()}) == 4


def test_a_changed_copy_leaves_the_original_alone() -> None:
    pair = Pair(left=1, right=2)
    assert pair.replace(right=9) == Pair(left=1, right=9)
    assert pair == Pair(left=1, right=2)
    assert code_of(pair.replace, middle=9) == "misuse-record"


def test_an_invalid_value_cannot_be_built_nor_copied_into_being() -> None:
    assert code_of(Even, number=1) == "refused-offer-format"
    assert code_of(Even(number=2).replace, number=3) == "refused-offer-format"


def test_a_record_shows_itself() -> None:
    assert repr(Pair(left=1, right="r")) == "Pair(left=1, right='r')"
    assert repr(Empty()) == "Empty()"
