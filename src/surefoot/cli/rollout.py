"""`surefoot rollout`: bring a release to the fleet, and stop it when something is wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.rollout_plan import plan as plan_command
from surefoot.cli.rollout_plan import read_plan, warnings_of
from surefoot.cli.rollout_view import beside_lines
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

app = noun("Bring a release to the fleet, phase by phase.")

RolloutId = Annotated[str, typer.Argument(metavar="ROLLOUT_ID")]
Why = Annotated[str, typer.Option("--reason", help="Why; it stays with the rollout and in its history.")]


app.command(
    "plan",
    epilog=example(
        "surefoot rollout plan --internal robot-001",
        "surefoot rollout plan --check plan.yaml",
        "surefoot rollout plan --explain plan.yaml --sku standard",
    ),
)(plan_command)


@app.command(
    epilog=example(
        "surefoot rollout start RELEASE_ID",
        "surefoot rollout start RELEASE_ID --internal robot-001 --internal robot-002",
        "surefoot rollout start RELEASE_ID --plan plan.yaml",
        "surefoot rollout start RELEASE_ID --force",
    )
)
@with_operator
def start(
    operator: "OperatorClient",
    release_id: Annotated[str, typer.Argument(metavar="RELEASE_ID", help="See `surefoot release list`.")],
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", help="Plan (YAML); see `surefoot rollout plan`.", show_default="10 % 48 h, 50 % 24 h, 100 % 24 h"
        ),
    ] = None,
    internal: Annotated[
        list[str] | None,
        typer.Option(
            "--internal", metavar="ROBOT_ID", help="Robot that goes first, 24 h before all others; repeatable."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Robots that run the release already install it once more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start bringing a release to all robots of its sku, by the fleet strategy or by a plan of your own."""
    body = {"release_id": release_id, "plan": _plan(plan, tuple(internal or ())), "force": force}
    warnings = warnings_of(operator, release_id)
    rollout = operator.post("/api/v1/rollouts", body)
    output.show(
        rollout | {"warnings": warnings},
        as_json,
        f"Started rollout {rollout['rollout_id']}.",
        *warnings,
        *beside_lines(rollout),
        f"Next: surefoot rollout status {rollout['rollout_id']}",
    )


@app.command("list", epilog=example("surefoot rollout list --json"))
@with_operator
def list_rollouts(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the rollouts, newest first."""
    answer = operator.get("/api/v1/rollouts")
    rows = [
        (
            rollout["rollout_id"],
            rollout["sku"],
            rollout["version"],
            rollout["state"],
            rollout["phase_name"],
            output.time_text(rollout["started_at_s"]),
        )
        for rollout in answer["rollouts"]
    ]
    table = output.Table(
        ("ROLLOUT", "SKU", "VERSION", "STATE", "PHASE", "STARTED"),
        rows,
        empty="No rollout yet: start one with `surefoot rollout start`.",
    )
    output.show(answer, as_json, table)


@app.command(
    epilog=example("surefoot rollout status ROLLOUT_ID", "surefoot rollout status ROLLOUT_ID --watch"),
)
@with_operator
def status(
    operator: "OperatorClient",
    rollout_id: RolloutId,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Keep it on the screen until it is finished, or halted (exit code 1)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a rollout stands, why, how many robots have which status, who waits, and who changed what when."""
    from surefoot.cli.client import url_part
    from surefoot.cli.rollout_status import show_status
    from surefoot.cli.rollout_watch import watch as watch_rollout

    if watch:
        watch_rollout(operator, rollout_id, as_json)
        return
    path = f"/api/v1/rollouts/{url_part(rollout_id)}"
    show_status(operator.get(path), operator.get(f"{path}/robots/waiting"), as_json)


@app.command(epilog=example('surefoot rollout pause ROLLOUT_ID --reason "weekend"'))
@with_operator
def pause(operator: "OperatorClient", rollout_id: RolloutId, reason: Why = "", as_json: AsJson = False) -> None:
    """Offer the release to no further robot until the rollout is resumed."""
    _order(operator, rollout_id, "pause", reason, as_json)


@app.command(epilog=example('surefoot rollout resume ROLLOUT_ID --reason "robot-007 had a bad cable"'))
@with_operator
def resume(operator: "OperatorClient", rollout_id: RolloutId, reason: Why, as_json: AsJson = False) -> None:
    """Go on with a paused or halted rollout."""
    _order(operator, rollout_id, "resume", reason, as_json)


@app.command(
    epilog=example(
        'surefoot rollout halt ROLLOUT_ID --reason "two robots lost their arm calibration"',
        'surefoot rollout halt ROLLOUT_ID --reason "two robots lost their arm calibration" --roll-back',
    )
)
@with_operator
def halt(
    operator: "OperatorClient",
    rollout_id: RolloutId,
    reason: Why,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Lead robots that run the release back to what they ran before, too.")
    ] = False,
    recall: Annotated[
        bool, typer.Option("--recall", help="Take the release back for good, too: nobody can download it any more.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before robots are led back or it is recalled.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a rollout because something is wrong, and open an incident; only a person leads it out again.

    A rollout that is halted already may be halted again with --roll-back or --recall, which does that.
    """
    from surefoot.cli.rollout_halt import halt as halt_rollout

    halt_rollout(operator, rollout_id, reason, roll_back=roll_back, recall=recall, yes=yes, as_json=as_json)


@app.command(
    epilog=example(
        'surefoot rollout approve ROLLOUT_ID --reason "canaries look well"',
        'surefoot rollout approve ROLLOUT_ID --phase full --reason "agreed with the warehouse"',
    )
)
@with_operator
def approve(
    operator: "OperatorClient",
    rollout_id: RolloutId,
    reason: Why,
    phase: Annotated[
        str | None,
        typer.Option("--phase", metavar="NAME", help="Phase that may open.", show_default="the next that waits"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a phase open once the one before has passed; this may be said before it is due. Needs an approver."""
    from surefoot.cli.client import url_part

    rollout = operator.post(f"/api/v1/rollouts/{url_part(rollout_id)}/approve", {"phase": phase, "reason": reason})
    name = rollout["plan"]["phases"][rollout["approvals"][-1]["phase"]]["name"]
    output.show(rollout, as_json, f"Phase {name} of rollout {rollout['rollout_id']} may open.")


def _order(operator: "OperatorClient", rollout_id: str, verb: str, reason: str, as_json: bool) -> None:
    from surefoot.cli.client import url_part

    rollout = operator.post(f"/api/v1/rollouts/{url_part(rollout_id)}/{verb}", {"reason": reason})
    output.show(rollout, as_json, f"Rollout {rollout['rollout_id']} is {rollout['state']}.")


def _plan(path: Path | None, internal: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the plan to send, checked here so that a mistake is told before anything starts; None for the default."""
    from surefoot.rollout.plan import default_plan
    from surefoot.rollout.plan_format import plan_to_object

    if path is None:
        return plan_to_object(default_plan(internal)) if internal else None
    if internal:
        raise Refused("refused-usage", "A plan names its robots itself: give --plan or --internal, not both.")
    return plan_to_object(read_plan(path))
