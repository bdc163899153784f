"""A halt says what it does to how many robots, and asks before it leads any back or recalls a release."""

from typing import Any, cast

import pytest
import typer

from support import code_of
from surefoot.cli.client import OperatorClient
from surefoot.cli.rollout_halt import halt


class Operator:
    """A server with one rollout: 3 robots run its release, 1 is updating."""

    def __init__(self, running: int = 3, has_way_back: bool = True) -> None:
        self.sent: list[dict[str, Any]] = []
        self.has_way_back = has_way_back
        self.rollout: dict[str, Any] = {
            "rollout_id": "01J",
            "release_id": "01R",
            "version": "0.2.1",
            "sku": "standard",
            "state": "running",
            "updating": 1,
            "running": running,
            "way_back_rollout_id": None,
        }

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/rollouts/01J"
        return dict(self.rollout)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path == "/api/v1/rollouts/01J/halt"
        self.sent.append(body)
        self.rollout["state"] = "halted"
        if body["roll_back"] and self.has_way_back:
            self.rollout["way_back_rollout_id"] = "01R-back-1"
        return dict(self.rollout)


def run(operator: Operator, *, roll_back: bool = False, recall: bool = False, yes: bool = False) -> None:
    client = cast(OperatorClient, operator)
    halt(client, "01J", "smoke", roll_back=roll_back, recall=recall, yes=yes, as_json=False)


def test_a_halt_alone_is_done_at_once_and_says_how_to_lead_robots_back(capsys: pytest.CaptureFixture[str]) -> None:
    operator = Operator()
    run(operator)
    assert operator.sent == [{"reason": "smoke", "roll_back": False, "recall": False}]
    assert capsys.readouterr().out.splitlines() == [
        "Rollout 01J is halted.",
        "1 robot updating now: told to stop before the restart.",
        "3 robots with 0.2.1: nothing changes.",
        'To lead them back: surefoot rollout halt 01J --roll-back --reason "…"',
        "Next: surefoot incident list",
    ]


def test_where_nobody_can_answer_nothing_is_done_but_said_with_the_number_of_robots() -> None:
    operator = Operator()
    assert code_of(run, operator, roll_back=True) == "refused-usage"
    assert code_of(run, operator, recall=True) == "refused-usage"
    assert operator.sent == []


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_is_asked_before_robots_are_led_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    operator, asked = Operator(), []

    def confirm(question: str, **_: object) -> None:
        asked.append(question)
        if not agrees:
            raise typer.Abort

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", confirm)
    try:
        run(operator, roll_back=True, recall=True)
    except typer.Abort:
        assert not agrees
    captured = capsys.readouterr()
    assert asked == ["Go on?"] and [body["roll_back"] for body in operator.sent] == [True] * agrees
    assert "leads the 3 robots that run 0.2.1 back" in captured.err and "recalls 0.2.1 for good" in captured.err
    assert ("3 robots with 0.2.1: led back by rollout 01R-back-1." in captured.out) is agrees


def test_with_yes_nobody_is_asked_and_a_missing_way_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    operator = Operator(has_way_back=False)
    run(operator, roll_back=True, yes=True)
    assert len(operator.sent) == 1
    told = capsys.readouterr().out
    assert "Nobody is led back: the fleet has no release below it to go back to." in told
    assert "Publish the one they ran before, then: surefoot rollout halt 01J --roll-back" in told
