from collections.abc import Callable
from typing import Any

import pytest

from surefoot.fleet import reconcile as fleet_reconcile

KINDS = {"loss", "delay", "double", "reorder", "split", "clock", "power", "firmware", "download", "kill"}
Surefoot = Callable[..., Any]


def test_a_world_prints_what_struck_it_and_that_nothing_broke(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "world", "--robots", 20, "--seed", 4, "--json")
    figures = outcome.json
    assert (outcome.code, outcome.stderr) == (0, "")
    assert (figures["worlds"], figures["robots"], figures["divergent"], figures["broken"]) == (1, 20, 0, [])
    assert set(figures["faults"]) == KINDS
    assert sum(figures["faults"].values()) > 50 and figures["events"] > 300


def test_only_the_kinds_that_were_chosen_strike(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "world", "--robots", 8, "--worlds", 2, "--processes", 1, "--faults", "kill,power")
    assert outcome.code == 0, outcome.stderr
    assert "2 worlds with 16 robots" in outcome.stdout
    assert "Faults: power " in outcome.stdout and "loss" not in outcome.stdout
    assert "Promises broken: 0." in outcome.stdout


def test_an_unknown_kind_is_refused_with_those_there_are(surefoot: Surefoot) -> None:
    outcome = surefoot("simulate", "world", "--faults", "power,gremlins")
    assert (outcome.code, outcome.error_code) == (2, "refused-usage")
    assert "gremlins" in outcome.stderr and "reorder" in outcome.stderr


def test_a_broken_promise_prints_its_seed_and_the_story_that_led_to_it(
    surefoot: Surefoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_reconcile, "_worth_another_try", lambda _device, _said, _record: True)
    words = ("simulate", "world", "--robots", 12, "--seed", 1, "--worlds", 2, "--processes", 1)
    first, second = surefoot(*words), surefoot(*words)
    *story, error = first.stderr.splitlines()
    assert first.code == 1
    assert error.startswith("error: ") and "trial-ends" in error and error.endswith("[simulation-broken]")
    assert "seed 1" in error or "seed 2" in error
    assert story[0].startswith("The story of seed ")
    assert any("BROKEN trial-ends" in line for line in story)
    assert first.stderr == second.stderr, "the same seed is the same story"
