"""`surefoot rollout status`: where a rollout stands, who waits and why, who else has a say, who changed what when."""

from typing import Any

from surefoot.cli import output
from surefoot.cli.rollout_view import gate_sentence


def show_status(rollout: dict[str, Any], waiting: dict[str, Any], as_json: bool) -> None:
    """Print where a rollout stands."""
    output.show(
        rollout | {"waiting": waiting},
        as_json,
        output.facts(
            [
                ("rollout", rollout["rollout_id"]),
                ("brings", f"{rollout['version']} to {_whom(rollout)} (release {rollout['release_id']})"),
                *([("force", "who runs it already installs it once more")] if rollout["force"] else []),
                ("state", rollout["state"]),
                ("reason", rollout["reason"]),
                *([("back by", f"rollout {way_back}")] if (way_back := rollout["way_back_rollout_id"]) else []),
                *([("gates", sentence)] if (sentence := gate_sentence(rollout)) else []),
                ("started", output.time_text(rollout["started_at_s"])),
                ("phase", f"{rollout['phase_name']}, open since {output.time_text(rollout['phase_opened_at_s'])}"),
            ]
        ),
        "",
        _phases(rollout),
        "",
        output.Table(("STATUS", "ROBOTS"), list(rollout["counts"].items()), empty="No robot has been offered it yet."),
        "",
        *_waiting(waiting),
        *_beside(rollout),
        output.Table(("WHEN", "WHO", "WHAT", "WHY"), _changes(rollout)),
    )


def _whom(rollout: dict[str, Any]) -> str:
    only = rollout["only_robot_id"]
    return f"{only} alone, a {rollout['sku']}" if only else str(rollout["sku"])


def _phases(rollout: dict[str, Any]) -> output.Table:
    phases = rollout["plan"]["phases"]
    approved = {approval["phase"]: approval["approved_by"] for approval in rollout["approvals"]}
    rows: list[tuple[Any, ...]] = [
        (
            phase["name"],
            ", ".join(phase["robots"]) or f"{phase['percent']:g} %",
            output.duration_text(phase["soak_s"]),
            index <= rollout["phase"],
        )
        for index, phase in enumerate(phases)
    ]
    headings: tuple[str, ...] = ("PHASE", "WHO", "SOAK", "OPEN")
    if any(phase["approval"] for phase in phases):
        headings = (*headings, "APPROVAL")
        needed = ["needed" if phase["approval"] else None for phase in phases]
        rows = [(*row, approved.get(index, needed[index])) for index, row in enumerate(rows)]
    return output.Table(headings, rows)


def _waiting(waiting: dict[str, Any]) -> list[str | output.Table]:
    if not waiting["groups"]:
        return []
    rows = [
        (group["robots"], group["code"], ", ".join(group["robot_ids"]), group["why"]) for group in waiting["groups"]
    ]
    return [output.Table(("WAITING", "CODE", "AMONG THEM", "WHY"), rows), ""]


def _beside(rollout: dict[str, Any]) -> list[str | output.Table]:
    if not rollout["beside"]:
        return []
    rows = [
        (other["rollout_id"], other["version"], other["state"], other["offered"], other["meaning"])
        for other in rollout["beside"]
    ]
    return [output.Table(("ROLLOUT BESIDE", "VERSION", "STATE", "OFFERED", "THE NEWEST OPEN DOOR WINS"), rows), ""]


def _changes(rollout: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (output.time_text(change["at_s"]), change["who"], change["action"], change["reason"])
        for change in rollout["changes"]
    ]
