import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
import typer

from cli.test_rollout_view import ROLLOUT, WAITING
from surefoot.cli.client import OperatorClient
from surefoot.cli.rollout_watch import EVERY_S, watch
from surefoot.wire.errors import Interrupted


class Server:
    """Answers each look with the next of these rollouts, or is away."""

    def __init__(self, *looks: dict[str, Any] | None) -> None:
        self._looks: Iterator[dict[str, Any] | None] = iter(looks)
        self.pauses: list[float] = []

    def get(self, path: str) -> Any:
        if path.endswith("/waiting"):
            return WAITING
        assert path == "/api/v1/rollouts/a%2Fb"
        look = next(self._looks)
        if look is None:
            raise Interrupted("server-unreachable", "There is no answer.")
        return ROLLOUT | look

    def run(self, *, as_json: bool = False) -> None:
        watch(cast(OperatorClient, self), "a/b", as_json, self.pauses.append)


def test_each_change_is_a_line_and_a_countdown_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(
        {"reason": "Soaks for another 1 d 4 h."},
        {"reason": "Soaks for another 1 d."},
        {"reason": "Soaks for another 2 h 59 min."},
        {"reason": "Soaks for another 58 s."},
        {"reason": "Soaks for another 56 s.", "counts": {"installed": 46}},
        {"state": "finished", "reason": "Stable."},
    )
    server.run()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        "running, phase canary: Soaks for another 1 d 4 h.",
        "running, phase canary: Soaks for another 56 s.",
        "finished, phase canary: Stable.",
    ]
    assert server.pauses == [EVERY_S] * 5


def test_programs_get_one_object_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    Server({}, {}, {"state": "finished"}).run(as_json=True)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["state"] for it in found] == ["running", "finished"]
    assert found[0]["waiting"] == WAITING


def test_a_halt_ends_the_watch_with_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        Server({}, {"state": "halted", "reason": "Two robots limp."}).run()
    assert caught.value.exit_code == 1
    assert "Two robots limp." in capsys.readouterr().out


def test_a_server_that_is_away_for_a_while_is_told_once_and_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    Server({}, None, None, {}, {"state": "finished"}).run()
    captured = capsys.readouterr()
    assert captured.err == "There is no answer.\n"
    assert len(captured.out.splitlines()) == 2


def test_on_a_terminal_one_view_is_kept_up_to_date(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    Server(None, {}, None, {"state": "finished", "reason": "Stable."}).run()
    out = capsys.readouterr().out
    assert "1 d of 2 d" in out and "Stable." in out
