"""`surefoot incident`: what went wrong with a rollout, who did what about it, and how its robots are now."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

app = noun("See what went wrong with rollouts, and close it.")

IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT_ID", help="See `surefoot incident list`.")]


@app.command("list", epilog=example("surefoot incident list"))
@with_operator
def list_incidents(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the incidents, newest first."""
    answer = operator.get("/api/v1/incidents")
    rows = [
        (
            incident["incident_id"],
            "open" if incident["is_open"] else "closed",
            output.time_text(incident["opened_at_s"]),
            incident["opened_by"],
            incident["reason"],
        )
        for incident in answer["incidents"]
    ]
    headings = ("INCIDENT", "STATE", "OPENED", "BY", "REASON")
    output.show(answer, as_json, output.Table(headings, rows, empty="No rollout was ever halted."))


@app.command(epilog=example("surefoot incident show INCIDENT_ID", "surefoot incident show INCIDENT_ID --changelog"))
@with_operator
def show(
    operator: "OperatorClient",
    incident_id: IncidentId,
    changelog: Annotated[
        bool, typer.Option("--changelog", help="Print its entry for CHANGELOG.md, and nothing else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show an incident: its timeline, and which robots are back, not back, or silent."""
    incident = operator.get(_path(incident_id))
    if changelog:
        output.show({"changelog": incident["changelog"]}, as_json, incident["changelog"].rstrip("\n"))
        return
    output.show(incident, as_json, *_blocks(incident))


@app.command(epilog=example('surefoot incident note INCIDENT_ID "robot-007 and robot-012 have the old arm"'))
@with_operator
def note(
    operator: "OperatorClient",
    incident_id: IncidentId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you found out.")],
    as_json: AsJson = False,
) -> None:
    """Add what you found out to an incident's timeline."""
    incident = operator.post(_path(incident_id, "/notes"), {"text": text})
    output.show(incident, as_json, f"Noted in incident {incident['incident_id']}.")


@app.command(epilog=example('surefoot incident close INCIDENT_ID --reason "0.2.3 is on all robots"'))
@with_operator
def close(
    operator: "OperatorClient",
    incident_id: IncidentId,
    reason: Annotated[str, typer.Option("--reason", help="Why it is over.")],
    as_json: AsJson = False,
) -> None:
    """Close an incident, saying why."""
    incident = operator.post(_path(incident_id, "/close"), {"reason": reason})
    output.show(incident, as_json, f"Incident {incident['incident_id']} is closed.")


def _path(incident_id: str, rest: str = "") -> str:
    from surefoot.cli.client import url_part

    return f"/api/v1/incidents/{url_part(incident_id)}{rest}"


def _blocks(incident: dict[str, Any]) -> list[str | output.Table]:
    pairs: list[tuple[str, object]] = [
        ("incident", incident["incident_id"]),
        ("rollout", incident["rollout_id"]),
        ("release", incident["release_id"]),
        ("opened", f"{output.time_text(incident['opened_at_s'])} by {incident['opened_by']}"),
        ("reason", incident["reason"]),
    ]
    if not incident["is_open"]:
        closed = f"{output.time_text(incident['closed_at_s'])} by {incident['closed_by']}"
        pairs += [("closed", closed), ("because", incident["closing_reason"])]
    lines = [(output.time_text(line["at_s"]), line["who"], line["kind"], line["text"]) for line in incident["timeline"]]
    robots = [(name.replace("_", " "), found["count"], _named(found)) for name, found in incident["robots"].items()]
    return [
        output.facts(pairs),
        "",
        output.Table(("WHEN", "WHO", "KIND", "WHAT"), lines),
        "",
        output.Table(("ROBOTS", "COUNT", "WHO"), robots),
    ]


def _named(found: dict[str, Any]) -> str:
    more = found["count"] - len(found["robot_ids"])
    return ", ".join(found["robot_ids"]) + (f" and {more} more" if more else "")
