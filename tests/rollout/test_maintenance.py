import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout.maintenance import DAY_MIN, WEEK_MIN, Day, Window, clock_text, wait_min

NIGHT = Window(days=(Day.FRI,), from_min=22 * 60, to_min=4 * 60)
WORKDAY = Window(days=(Day.MON, Day.TUE), from_min=8 * 60, to_min=16 * 60)
ALWAYS = Window(from_min=0, to_min=DAY_MIN)
WEEKEND_END = Window(days=(Day.SUN,), from_min=23 * 60, to_min=60)
WINDOWS = st.builds(
    Window,
    days=st.sets(st.sampled_from(Day), min_size=1).map(tuple),
    from_min=st.integers(0, DAY_MIN - 1),
    to_min=st.integers(0, DAY_MIN),
)


def at(day: Day, hour: int, minute: int = 0) -> int:
    return list(Day).index(day) * DAY_MIN + hour * 60 + minute


@pytest.mark.parametrize(
    ("window", "moment", "wait"),
    [
        (WORKDAY, at(Day.MON, 8), 0),
        (WORKDAY, at(Day.TUE, 15, 59), 0),
        (WORKDAY, at(Day.MON, 7, 59), 1),
        (WORKDAY, at(Day.MON, 16), 16 * 60),
        (WORKDAY, at(Day.TUE, 16), 5 * DAY_MIN + 16 * 60),
        (NIGHT, at(Day.FRI, 22), 0),
        (NIGHT, at(Day.SAT, 3, 59), 0),
        (NIGHT, at(Day.SAT, 4), 7 * DAY_MIN - 6 * 60),
        (NIGHT, at(Day.FRI, 3), 19 * 60),
        (WEEKEND_END, at(Day.MON, 0, 59), 0),
        (WEEKEND_END, at(Day.MON, 1), 6 * DAY_MIN + 22 * 60),
        (ALWAYS, at(Day.SUN, 23, 59), 0),
    ],
)
def test_a_window_is_open_from_its_beginning_until_before_its_end(window: Window, moment: int, wait: int) -> None:
    assert wait_min((window,), moment) == wait


def test_without_windows_it_is_always_time() -> None:
    assert wait_min((), 17) == 0


def test_of_several_windows_the_next_counts() -> None:
    assert wait_min((NIGHT, WORKDAY), at(Day.FRI, 20)) == 120
    assert wait_min((NIGHT, WORKDAY), at(Day.SUN, 8)) == DAY_MIN


@given(windows=st.lists(WINDOWS, min_size=1, max_size=3).map(tuple), moment=st.integers(0, WEEK_MIN - 1))
def test_after_the_wait_a_window_opens_and_not_a_minute_before(windows: tuple[Window, ...], moment: int) -> None:
    wait = wait_min(windows, moment)
    assert 0 <= wait < WEEK_MIN
    assert wait_min(windows, (moment + wait) % WEEK_MIN) == 0
    assert all(wait_min(windows, (moment + part) % WEEK_MIN) for part in (0, wait // 2, wait - 1) if 0 <= part < wait)


def test_a_time_of_the_day_is_written_as_on_a_clock() -> None:
    assert [clock_text(minute) for minute in (0, 65, DAY_MIN)] == ["00:00", "01:05", "24:00"]
