"""Windows that follow each other tell together what one long window tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.diagnostics import Diagnostics
from surefoot.wire.health import BUCKETS, COUNTS, HealthSums, HealthWindow, encode_health, parse_health
from surefoot.wire.health_fold import HealthFold
from wire.strategies import DIAGNOSTICS
from wire.wire_case import WINDOW

# How long after the one before a message comes, the message, and whether a window ends right after it.
STORIES = st.lists(st.tuples(st.floats(0, 5), DIAGNOSTICS, st.booleans()), max_size=15)
Story = list[tuple[float, Diagnostics, bool]]
END_S = 1000.0


def folded(story: Story, *, in_parts: bool) -> list[HealthSums]:
    fold, now_s, windows = HealthFold(0.0), 0.0, []
    for pause_s, said, ends in story:
        now_s += pause_s
        fold.add(said, now_s)
        if ends and in_parts:
            windows.append(fold.take(now_s))
    return [*windows, fold.take(END_S)]


def first_told(percents: list[float | None]) -> float | None:
    return next((percent for percent in percents if percent is not None), None)


@given(STORIES)
def test_the_sum_of_the_folds_is_the_fold_of_the_sum(story: Story) -> None:
    [whole] = folded(story, in_parts=False)
    parts = folded(story, in_parts=True)
    for name in set(COUNTS) - {"handshakes_failed"}:
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name), name
    # A window cannot tell of more failures than tries, though the try may have been in the one before.
    assert sum(part.handshakes_failed for part in parts) <= whole.handshakes_failed
    # Each is rounded to milliseconds.
    for name in (*BUCKETS, "length_s", "charging_s"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name), abs=0.001 * len(parts))
    assert first_told([part.battery_start_percent for part in parts]) == whole.battery_start_percent
    assert first_told([part.battery_end_percent for part in reversed(parts)]) == whole.battery_end_percent


@given(STORIES)
def test_windows_hand_the_battery_over_without_a_gap(story: Story) -> None:
    told = [part for part in folded(story, in_parts=True) if part.battery_start_percent is not None]
    for before, after in zip(told, told[1:], strict=False):
        assert before.battery_end_percent == after.battery_start_percent


@given(STORIES)
def test_whatever_was_said_the_window_can_be_sent_and_tells_no_time_twice(story: Story) -> None:
    for sums in folded(story, in_parts=True):
        assert sum(getattr(sums, name) for name in BUCKETS) <= sums.length_s + 0.003
        window: HealthWindow = WINDOW.replace(sums=sums)
        assert parse_health(encode_health(window)) == window
