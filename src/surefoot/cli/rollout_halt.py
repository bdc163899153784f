"""`surefoot rollout halt`: says what a halt does to how many robots, and asks before it does more than stop."""

import sys
from typing import TYPE_CHECKING, Any

import typer

from surefoot.cli import output
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient


def halt(
    operator: "OperatorClient", rollout_id: str, reason: str, *, roll_back: bool, recall: bool, yes: bool, as_json: bool
) -> None:
    """Halt a rollout; `Refused` (`refused-usage`) where more is asked for, and nobody is there to agree to it."""
    from surefoot.cli.client import url_part

    path = f"/api/v1/rollouts/{url_part(rollout_id)}"
    if (roll_back or recall) and not yes:
        _ask(operator.get(path), roll_back=roll_back, recall=recall)
    rollout = operator.post(f"{path}/halt", {"reason": reason, "roll_back": roll_back, "recall": recall})
    output.show(rollout, as_json, *_told(rollout, roll_back=roll_back, recall=recall))


def _ask(rollout: dict[str, Any], *, roll_back: bool, recall: bool) -> None:
    """Say what will happen to how many robots and wait for a yes."""
    version, running = rollout["version"], rollout["running"]
    updating = f", also for the {_robots(rollout['updating'])} updating now" if rollout["updating"] else ""
    will = [f"This stops {version} for {rollout['sku']}{updating}."]
    if roll_back:
        will.append(f"It leads the {_robots(running)} that run {version} back to what they ran before.")
    if recall:
        will.append(f"It recalls {version} for good: nobody is offered or served it again.")
    what = " ".join(will)
    if not sys.stdin.isatty():
        raise Refused("refused-usage", f"{what} There is nobody to ask: give --yes if this is meant.")
    output.warn(what)
    typer.confirm("Go on?", abort=True, err=True)


def _told(rollout: dict[str, Any], *, roll_back: bool, recall: bool) -> list[str]:
    version, running, rollout_id = rollout["version"], rollout["running"], rollout["rollout_id"]
    told = [f"Rollout {rollout_id} is {rollout['state']}."]
    if rollout["updating"]:
        told.append(f"{_robots(rollout['updating'])} updating now: told to stop before the restart.")
    way_back = rollout["way_back_rollout_id"]
    if recall:
        told.append(f"Release {rollout['release_id']} is recalled.")
    if way_back is not None:
        told.append(f"{_robots(running)} with {version}: led back by rollout {way_back}.")
    elif roll_back:
        told += [
            "Nobody is led back: the fleet has no release below it to go back to.",
            f'Publish the one they ran before, then: surefoot rollout halt {rollout_id} --roll-back --reason "…"',
        ]
    elif running:
        told += [
            f"{_robots(running)} with {version}: nothing changes.",
            f'To lead them back: surefoot rollout halt {rollout_id} --roll-back --reason "…"',
        ]
    return [*told, "Next: surefoot incident list"]


def _robots(count: int) -> str:
    return "1 robot" if count == 1 else f"{count} robots"
