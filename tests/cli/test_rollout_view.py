from typing import Any

import pytest
from rich.console import Console

from surefoot.cli.rollout_view import line_of, view
from surefoot.rollout.plan import default_plan
from surefoot.rollout.plan_format import plan_to_object

NOW_S = 1_000_000.0
PLAN = plan_to_object(default_plan(("robot-001", "robot-002")))
PLAN["phases"][2]["approval"] = True
ROLLOUT: dict[str, Any] = {
    "rollout_id": "01J",
    "version": "0.2.1",
    "sku": "standard",
    "state": "running",
    "phase": 1,
    "phase_name": "canary",
    "soaked_s": 24 * 3600.0,
    "plan": PLAN,
    "counts": {"installed": 45, "downloading": 4, "rolled_back": 1},
    "reason": "2 of 12 updated robots reported an error, 1 of 38 others. Waiting.",
    "earliest_end_s": NOW_S + 3 * 86400,
    "approvals": [],
}
GROUP = {"code": "outside-window", "why": "It is night there.", "robots": 50, "robot_ids": ["robot-7", "robot-8"]}
WAITING: dict[str, Any] = {"groups": [GROUP], "without_offer": 50, "is_complete": True}


def shown(rollout: dict[str, Any] = ROLLOUT, waiting: dict[str, Any] = WAITING, width: int = 100) -> str:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(view(rollout, waiting, NOW_S, width))
    return captured.get()


def test_the_view_tells_all_a_person_asks() -> None:
    text = shown()
    for words in (
        "0.2.1 to standard  running",
        "canary 10 %",
        "1 d of 2 d",
        "24 h, needs approval",
        "2 of 12 updated robots reported an error",
        "installed 45",
        "50 of 100 offered",
        "50  outside-window  robot-7, robot-8, …  It is night there.",
        "Ends 1970-01-15 13:46:40Z at the earliest, in 3 d.",
    ):
        assert words in text, text


def test_what_the_gates_say_is_told_once() -> None:
    gates = {"answer": "waiting", "sentence": "1 of 12 updated robots was silent. Waiting."}
    assert "Gates: 1 of 12 updated robots was silent." in shown(ROLLOUT | {"gates": gates})
    said = ROLLOUT | {"gates": gates, "reason": gates["sentence"]}
    assert shown(said).count("1 of 12") == 1
    assert "Gates" not in shown(ROLLOUT | {"gates": gates, "state": "halted"})


def test_the_track_is_as_long_as_what_was_soaked() -> None:
    names, bars, notes = shown().splitlines()[2:5]
    width = bars.index("  ")
    start = names.index("canary")
    canary = bars[start : start + width]
    assert bars[:width] == "━" * width
    assert (canary.count("━"), canary.count("─")) == (width // 2, width - width // 2)
    assert "━" not in bars[start + width :]
    assert notes.startswith("passed")


def test_the_bar_of_robots_is_filled_by_those_who_were_offered_the_release() -> None:
    [bar] = [line for line in shown().splitlines() if "offered" in line]
    assert bar.count("━") == bar.count("─") == 30
    [full] = [
        line for line in shown(waiting=WAITING | {"groups": [], "without_offer": 0}).splitlines() if "offered" in line
    ]
    assert (full.count("━"), full.count("─")) == (60, 0)


def test_an_approval_names_who_gave_it() -> None:
    approval = {"phase": 2, "approved_by": "ana", "reason": "", "approved_at_s": 1.0}
    assert "24 h, approved by ana" in shown(ROLLOUT | {"approvals": [approval]})


def test_a_finished_rollout_passed_all_and_ends_no_more() -> None:
    text = shown(ROLLOUT | {"state": "finished", "phase": 3, "earliest_end_s": None}, WAITING | {"groups": []})
    assert text.count("passed") == 4 and "at the earliest" not in text


@pytest.mark.parametrize("width", [30, 60, 200])
def test_every_width_will_do(width: int) -> None:
    assert all(len(line) <= width for line in shown(width=width).splitlines())


def test_of_many_phases_those_around_the_open_one_are_shown() -> None:
    phases = [PLAN["phases"][1] | {"name": f"p{number}"} for number in range(20)]
    text = shown(ROLLOUT | {"plan": PLAN | {"phases": phases}, "phase": 10})
    assert "p10" in text and "p8" in text and "p3 " not in text


def test_nothing_that_a_stranger_named_commands_the_terminal() -> None:
    evil = "\x1b[31mred[red]\x07"
    text = shown(ROLLOUT | {"reason": evil}, WAITING | {"groups": [GROUP | {"why": evil, "robot_ids": [evil]}]})
    assert "\x1b" not in text and "\x07" not in text
    assert "\x1b" not in line_of(ROLLOUT | {"reason": evil}, WAITING)


def test_piped_it_is_one_line() -> None:
    assert line_of(ROLLOUT, WAITING) == (
        "running, phase canary: 2 of 12 updated robots reported an error, 1 of 38 others. Waiting. "
        "(45 installed, 4 downloading, 1 rolled_back; waiting: 50 outside-window)"
    )
    assert line_of(ROLLOUT | {"counts": {}, "reason": "So."}, WAITING | {"groups": []}).endswith("So. (nobody yet)")


def test_other_rollouts_of_the_sku_are_told_where_they_may_have_its_robots() -> None:
    other = {"rollout_id": "01K", "version": "0.2.2", "state": "paused", "meaning": "Newer, and takes no robot."}
    newer = shown(ROLLOUT | {"beside": [other | {"is_newer": True}]}, width=120)
    assert "Beside it: rollout 01K, 0.2.2, paused. Newer, and takes no robot." in newer
    assert "Beside it" not in shown(ROLLOUT | {"beside": [other | {"is_newer": False}]})
    assert "Beside it" in shown(ROLLOUT | {"beside": [other | {"is_newer": False, "state": "running"}]})
    assert "Beside it" not in shown()
