from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples" / "rollouts"
Surefoot = Callable[..., Any]
SHORT = "phases:\n  - {name: half, percent: 50, soak: 2 h}\n  - {name: full, percent: 100, soak: 2 h}\n"


def test_a_clean_rollout_tells_its_phases_and_its_end(surefoot: Surefoot, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(SHORT)
    words = ("simulate", "rollout", "--robots", 12, "--scenario", EXAMPLES / "clean.yaml", "--plan", plan)
    outcome = surefoot(*words)
    assert (outcome.code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[0].split() == ["PHASE", "OPENED", "AFTER", "LASTED"]
    assert [line.split()[0] for line in lines[1:3]] == ["half", "full"]
    assert "The rollout is finished, and its release is stable." in lines
    assert "Records that equal their robot: 12 of 12." in lines[-1]


def test_a_bricking_release_is_halted_and_the_story_is_one_object(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "rollout", "--robots", 100, "--scenario", EXAMPLES / "bricks.yaml", "--json")
    assert (outcome.code, outcome.stderr) == (0, "")
    story = outcome.json
    assert (story["state"], story["stable"], story["halt"]["by"]) == ("halted", False, "gate")
    assert "did not come back" in story["halt"]["sentence"]
    assert story["halt"]["exposed"] < 30 and story["running_nothing"] < 5
    assert (story["records_equal"], story["differing"], story["running_release"]) == (100, [], 0)


def test_why_it_halted_is_told(surefoot: Surefoot, tmp_path: Path) -> None:
    scenario = tmp_path / "stop.yaml"
    scenario.write_text("internal: 1\nplant:\n  - kind: silent\n")
    outcome = surefoot("simulate", "rollout", "--robots", 10, "--scenario", scenario)
    assert outcome.code == 0, outcome.stderr
    assert "Halted by the trigger silent after " in outcome.stdout and ", in phase internal, " in outcome.stdout
    assert "Why: robot-00001 is online and has sent no diagnostics for 15 min. Halted." in outcome.stdout


def test_trouble_that_is_not_the_releases_halts_nothing(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "rollout", "--robots", 12, "--scenario", EXAMPLES / "bad-week.yaml", "--json")
    assert (outcome.json["state"], outcome.json["stable"]) == ("finished", True)


def test_a_scenario_with_a_mistake_is_refused_with_its_line(surefoot: Surefoot, tmp_path: Path) -> None:
    scenario = tmp_path / "bad.yaml"
    scenario.write_text("seed: 1\nplant:\n  - kind: gremlins\n")
    outcome = surefoot("simulate", "rollout", "--scenario", scenario)
    assert (outcome.code, outcome.error_code) == (1, "refused-scenario-format")
    assert "line 3" in outcome.stderr
