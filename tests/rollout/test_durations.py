import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout.durations import duration_text, parse_duration, span_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24 h", 86400), ("30 min", 1800), ("90 s", 90), ("2 d", 172800), ("1.5 h", 5400), (" 7s ", 7), ("0 s", 0)],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "24",
        "24 hours",
        "24 H",
        "-1 h",
        "1e3 s",
        "1. h",
        ".5 h",
        "1.2.3 h",
        "1 h 2 min",
        "٣ h",
        "9" * 17 + " s",
    ],
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


@given(seconds=st.integers(0, 10**5))
def test_a_duration_comes_back_from_its_text(seconds: int) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (9000, "2 h 30 min"),
        (37000, "10 h"),
        (86400, "1 d"),
        (103499, "1 d 4 h"),
        (11 * 86400 + 7200, "11 d"),
    ],
)
def test_a_length_of_time_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


@given(text=st.text(max_size=20))
def test_whatever_comes_is_a_duration_or_none(text: str) -> None:
    assert (parse_duration(text) or 0.0) >= 0
