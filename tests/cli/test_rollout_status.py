from typing import Any

import pytest

from cli.test_rollout_view import ROLLOUT, WAITING
from surefoot.cli.rollout_status import show_status

WHOLE: dict[str, Any] = ROLLOUT | {
    "release_id": "01R",
    "started_at_s": 0.0,
    "phase_opened_at_s": 0.0,
    "changes": [],
    "way_back_rollout_id": None,
    "beside": [],
    "only_robot_id": None,
    "force": False,
}
OTHER: dict[str, Any] = {
    "rollout_id": "01K",
    "version": "0.2.2",
    "state": "halted",
    "is_newer": False,
    "offered": 7,
    "meaning": "Older, and takes no robot while it is halted.",
}


def test_a_status_names_what_leads_robots_back_and_every_other_rollout_of_the_sku(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_status(WHOLE | {"way_back_rollout_id": "01R-back-1", "beside": [OTHER]}, WAITING, as_json=False)
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["back", "by", "rollout", "01R-back-1"] in told
    assert ["01K", "0.2.2", "halted", "7", *OTHER["meaning"].split()] in told


def test_a_rollout_alone_that_leads_nobody_back_says_neither(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(WHOLE, WAITING, as_json=False)
    told = capsys.readouterr().out
    assert "back by" not in told and "BESIDE" not in told


def test_a_rollout_for_one_robot_and_a_forced_one_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(WHOLE, WAITING, as_json=False)
    plain = capsys.readouterr().out
    assert "0.2.1 to standard (release 01R)" in plain and "force" not in plain
    show_status(WHOLE | {"only_robot_id": "robot-7", "force": True}, WAITING, as_json=False)
    told = capsys.readouterr().out
    assert "0.2.1 to robot-7 alone, a standard (release 01R)" in told and "installs it once more" in told
