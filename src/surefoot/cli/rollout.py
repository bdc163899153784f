"""`surefoot rollout`: bring a release to the fleet, and stop it when something is wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.files import read_file
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.rollout.plan import Plan

app = noun("Bring a release to the fleet, phase by phase.")

RolloutId = Annotated[str, typer.Argument(metavar="ROLLOUT_ID")]
Why = Annotated[str, typer.Option("--reason", help="Why; it stays with the rollout and in its history.")]


@app.command(
    epilog=example(
        "surefoot rollout start RELEASE_ID",
        "surefoot rollout start RELEASE_ID --internal robot-001 --internal robot-002",
        "surefoot rollout start RELEASE_ID --plan plan.yaml",
    )
)
@with_operator
def start(
    operator: "OperatorClient",
    release_id: Annotated[str, typer.Argument(metavar="RELEASE_ID", help="See `surefoot release list`.")],
    plan: Annotated[
        Path | None,
        typer.Option("--plan", help="Plan (YAML).", show_default="10 % 48 h, 50 % 24 h, 100 % 24 h"),
    ] = None,
    internal: Annotated[
        list[str] | None,
        typer.Option(
            "--internal", metavar="ROBOT_ID", help="Robot that goes first, 24 h before all others; repeatable."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start bringing a release to all robots of its sku, by the fleet strategy or by a plan of your own."""
    body = {"release_id": release_id, "plan": _plan(plan, tuple(internal or ()))}
    rollout = operator.post("/api/v1/rollouts", body)
    output.show(
        rollout,
        as_json,
        f"Started rollout {rollout['rollout_id']}.",
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


@app.command(epilog=example("surefoot rollout status ROLLOUT_ID"))
@with_operator
def status(operator: "OperatorClient", rollout_id: RolloutId, as_json: AsJson = False) -> None:
    """Show where a rollout stands, why, how many robots have which status, and who changed what when."""
    from surefoot.cli.client import url_part

    rollout = operator.get(f"/api/v1/rollouts/{url_part(rollout_id)}")
    phases = [
        (
            phase["name"],
            ", ".join(phase["robots"]) or f"{phase['percent']:g} %",
            output.duration_text(phase["soak_s"]),
            index <= rollout["phase"],
        )
        for index, phase in enumerate(rollout["plan"]["phases"])
    ]
    output.show(
        rollout,
        as_json,
        output.facts(
            [
                ("rollout", rollout["rollout_id"]),
                ("brings", f"{rollout['version']} to {rollout['sku']} (release {rollout['release_id']})"),
                ("state", rollout["state"]),
                ("reason", rollout["reason"]),
                ("started", output.time_text(rollout["started_at_s"])),
                ("phase", f"{rollout['phase_name']}, open since {output.time_text(rollout['phase_opened_at_s'])}"),
            ]
        ),
        "",
        output.Table(("PHASE", "WHO", "SOAK", "OPEN"), phases),
        "",
        output.Table(("STATUS", "ROBOTS"), list(rollout["counts"].items()), empty="No robot has been offered it yet."),
        "",
        output.Table(("WHEN", "WHO", "WHAT", "WHY"), _changes(rollout)),
    )


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


@app.command(epilog=example('surefoot rollout halt ROLLOUT_ID --reason "two robots lost their arm calibration"'))
@with_operator
def halt(operator: "OperatorClient", rollout_id: RolloutId, reason: Why, as_json: AsJson = False) -> None:
    """Stop a rollout because something is wrong, and open an incident; only a person leads it out again."""
    _order(operator, rollout_id, "halt", reason, as_json)


def _order(operator: "OperatorClient", rollout_id: str, verb: str, reason: str, as_json: bool) -> None:
    from surefoot.cli.client import url_part

    rollout = operator.post(f"/api/v1/rollouts/{url_part(rollout_id)}/{verb}", {"reason": reason})
    output.show(rollout, as_json, f"Rollout {rollout['rollout_id']} is {rollout['state']}.")


def _changes(rollout: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (output.time_text(change["at_s"]), change["who"], change["action"], change["reason"])
        for change in rollout["changes"]
    ]


def _plan(path: Path | None, internal: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the plan to send, checked here so that a mistake is told before anything starts; None for the default."""
    from surefoot.rollout.plan import default_plan, plan_to_object

    if path is None:
        return plan_to_object(default_plan(internal)) if internal else None
    if internal:
        raise Refused("refused-usage", "A plan names its robots itself: give --plan or --internal, not both.")
    return plan_to_object(read_plan(path))


def read_plan(path: Path) -> "Plan":
    """Return the plan that a YAML file holds; `Refused` (`refused-file-unreadable`, `refused-plan-format`)."""
    from surefoot.rollout.plan import plan_from_object

    return plan_from_object(_parse_yaml(path))


def _parse_yaml(path: Path) -> object:
    import yaml

    try:
        return yaml.safe_load(read_file(path))
    except yaml.MarkedYAMLError as error:
        line = "?" if error.problem_mark is None else error.problem_mark.line + 1
        raise Refused("refused-plan-format", f"{path}, line {line}: {error.problem}: correct the YAML.") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets its own slips out: of scalars that are not what their tag says, and of deep nesting.
        raise Refused("refused-plan-format", f"{path} is not YAML: write the plan as text in UTF-8.") from error
