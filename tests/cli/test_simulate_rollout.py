from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "rollouts"
PAGE = ROOT / "docs" / "how-to" / "simulate-a-rollout.md"
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


def test_a_bricking_release_is_halted_as_the_page_about_it_shows(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "rollout", "--robots", 100, "--scenario", EXAMPLES / "bricks.yaml")
    assert (outcome.code, outcome.stderr) == (0, "")
    printed = [line.partition(" took ")[0] for line in outcome.stdout.splitlines()]
    shown = [line.removeprefix("    ").partition(" took ")[0] for line in PAGE.read_text().splitlines()]
    begin = shown.index(printed[0])
    assert printed == shown[begin : begin + len(printed)]


def test_the_story_is_one_object_and_says_why_it_halted(surefoot: Surefoot, tmp_path: Path) -> None:
    scenario = tmp_path / "silent.yaml"
    scenario.write_text("internal: 1\nplant:\n  - kind: silent\n")
    words = ("simulate", "rollout", "--robots", 10, "--scenario", scenario)
    story, text = surefoot(*words, "--json").json, surefoot(*words).stdout
    assert (story["state"], story["stable"], story["running_release"]) == ("halted", False, 0)
    assert (story["records_equal"], story["differing"], story["seed"]) == (10, [], 1)
    halt = story["halt"]
    assert (halt["by"], halt["phase"], halt["exposed"]) == ("silent", "internal", 1)
    assert halt["sentence"] == "robot-00001 is online and has sent no diagnostics for 15 min. Halted."
    assert f"Halted by the trigger silent after {halt['hours']:g} h, in phase internal, " in text
    assert f"Why: {halt['sentence']}" in text


def test_trouble_that_is_not_the_releases_halts_nothing(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "rollout", "--robots", 12, "--scenario", EXAMPLES / "bad-week.yaml", "--json")
    assert (outcome.json["state"], outcome.json["stable"]) == ("finished", True)


def test_a_scenario_with_a_mistake_is_refused_with_its_line(surefoot: Surefoot, tmp_path: Path) -> None:
    scenario = tmp_path / "bad.yaml"
    scenario.write_text("seed: 1\nplant:\n  - kind: gremlins\n")
    outcome = surefoot("simulate", "rollout", "--scenario", scenario)
    assert (outcome.code, outcome.error_code) == (1, "refused-scenario-format")
    assert "line 3" in outcome.stderr
