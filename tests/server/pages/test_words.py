"""How figures read, and what a pie is made of."""

import pytest

from surefoot.fleet.adoption import Standing
from surefoot.fleet.model import KeyState, RolloutState, Status
from surefoot.server.pages import words
from surefoot.server.pages.assets import load
from surefoot.server.pages.pie import slices


def test_every_status_has_a_word_and_a_tone() -> None:
    assert set(words.STATUS) == set(Status) and set(words.STATE) == set(RolloutState)
    assert set(words.KEY) == set(KeyState) and set(words.STANDING) == set(Standing)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "not known yet"),
        (0, "0 s"),
        (86400 * 4.5, "4 d 12 h"),
    ],
)
def test_a_length_of_time_reads_in_its_greatest_units_once_it_is_known(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "not known yet"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.99999, "over 99.9 %"),
        (0.0001, "under 0.1 %"),
        (0.125, "12.5 %"),
    ],
)
def test_a_share_that_is_not_whole_never_reads_as_if_it_were(share: float | None, said: str) -> None:
    assert words.percent(share) == said


def test_a_pie_s_slices_are_all_of_it_and_the_rest_is_one() -> None:
    counts = {f"0.{number}.0": number for number in range(1, 12)}
    found = slices(counts)
    assert len(found) == 7 and found[-1].label == "other"
    assert sum(one.count for one in found) == sum(counts.values())
    assert sum(one.share for one in found) == pytest.approx(1)
    assert [one.path.count("M") for one in slices({"0.2.0": 3})] == [2]
    assert slices({}) == []


@pytest.mark.parametrize("name", ["../app.py", "/etc/passwd", "surefoot.css/..", "templates/base.html", "", "vendor"])
def test_only_assets_are_assets(name: str) -> None:
    assert load(name) is None


def test_assets_are_there_and_small() -> None:
    names = ("surefoot.css", "surefoot.js", "theme.js", "charts.js", "vendor/htmx.js", "vendor/sse.js")
    found = [load(name) for name in (*names, "vendor/uplot.js", "vendor/uplot.css")]
    assert sum(len(one.plain) for one in found if one) < 250_000 and all(found)
