"""`surefoot rollout status --watch`: a rollout as it goes, until it is finished or halted.

On a terminal one view is kept up to date; piped, or with `--json`, each change is a line.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from surefoot.cli import output
from surefoot.cli.rollout_view import line_of, view
from surefoot.wire.errors import Interrupted

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

EVERY_S = 2.0
_ENDED = ("finished", "halted")
# A figure, or a span such as `1 d 4 h`.
_FIGURES = re.compile(r"[0-9.]+(?: (?:d|h|min|s)\b)?(?: [0-9]+ (?:h|min)\b)?")


def watch(
    operator: "OperatorClient", rollout_id: str, as_json: bool, pause: Callable[[float], None] = time.sleep
) -> None:
    """Show a rollout until it ends; leave with exit code 1 where it was halted."""
    looks = _looks(operator, rollout_id, pause)
    rollout = _watch_lines(looks, as_json) if as_json or not sys.stdout.isatty() else _watch_live(looks)
    if rollout["state"] == "halted":
        raise typer.Exit(1)


def _looks(
    operator: "OperatorClient", rollout_id: str, pause: Callable[[float], None]
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any], str]]:
    """Yield the rollout and who waits, again and again until it ends; None, and why, while the server is away."""
    from surefoot.cli.client import url_part

    path = f"/api/v1/rollouts/{url_part(rollout_id)}"
    while True:
        try:
            rollout, waiting = operator.get(path), operator.get(f"{path}/robots/waiting")
        except Interrupted as error:
            # A server that restarts is not the end of the rollout.
            yield None, {}, error.message
        else:
            yield rollout, waiting, ""
            if rollout["state"] in _ENDED:
                return
        pause(EVERY_S)


def _watch_lines(looks: Iterator[tuple[dict[str, Any] | None, dict[str, Any], str]], as_json: bool) -> dict[str, Any]:
    told, rollout, known = "", {}, ""
    for found, waiting, trouble in looks:
        if found is None:
            if trouble != told:
                output.warn(trouble)
            told = trouble
            continue
        told, rollout = "", found
        if (change := _what_changes(rollout, waiting)) != known:
            known = change
            print(json.dumps(rollout | {"waiting": waiting}) if as_json else line_of(rollout, waiting), flush=True)
    return rollout


def _watch_live(looks: Iterator[tuple[dict[str, Any] | None, dict[str, Any], str]]) -> dict[str, Any]:
    from rich.console import Console
    from rich.live import Live

    rollout: dict[str, Any] = {}
    waiting: dict[str, Any] = {}
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for found, who, trouble in looks:
            if found is not None:
                rollout, waiting = found, who
            if rollout:
                live.update(view(rollout, waiting, time.time(), live.console.width, trouble), refresh=True)
    return rollout


def _what_changes(rollout: dict[str, Any], waiting: dict[str, Any]) -> str:
    """Return what is worth a line when it differs: a countdown in the reason alone is not."""
    groups = [(group["code"], group["robots"]) for group in waiting["groups"]]
    reason = _FIGURES.sub("#", rollout["reason"])
    return repr((rollout["state"], rollout["phase"], reason, rollout["counts"], rollout["approvals"], groups))
