"""`surefoot status`: the fleet at a glance, with the facts of the Fleet page."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import command, example
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.rollout_view import gate_sentence
from surefoot.fleet.fleet_metrics import INSTALLED, ROLLBACK_TARGET, SUCCESS_TARGET
from surefoot.rollout.plan import default_plan
from surefoot.server.pages import words

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

UNDER_WAY = ("halted", "paused", "running")
# Those that ask for a person; the others say themselves what becomes of them.
TROUBLES = ("silent", "drifted", "rolled_back", "refused")

app = command()


@app.command(epilog=example("surefoot status", "surefoot status --check", "surefoot status --json"))
@with_operator
def status(
    operator: "OperatorClient",
    check: Annotated[bool, typer.Option("--check", help="Leave with exit code 1 while an incident is open.")] = False,
    as_json: AsJson = False,
) -> None:
    """See the fleet at a glance: what it runs, how updates go, what is under way, what is wrong.

    The exit code is 0 whatever the fleet is like, unless --check is given.
    """
    from surefoot.cli.client import url_part

    fleet, broker = operator.get("/api/v1/fleet-metrics"), operator.get("/api/v1/broker")
    known = operator.get("/api/v1/rollouts")["rollouts"]
    # A list tells of no gates.
    under_way = [
        operator.get(f"/api/v1/rollouts/{url_part(rollout['rollout_id'])}")
        for state in UNDER_WAY
        for rollout in known
        if rollout["state"] == state
    ]
    metadata = operator.get("/api/v1/metadata")["documents"]
    incidents = [found for found in operator.get("/api/v1/incidents")["incidents"] if found["is_open"]]
    about = {rollout["rollout_id"]: _brings(rollout) for rollout in known}
    value = {"fleet": fleet, "broker": broker, "metadata": metadata, "rollouts": under_way, "incidents": incidents}
    blocks = [*_robots(fleet, broker), *_rollouts(under_way, known, fleet), "", _incidents(incidents, about)]
    output.show(value, as_json, *blocks, *_metadata(metadata))
    if check and incidents:
        raise typer.Exit(1)


def _metadata(documents: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each document that people must sign anew soon; expired it stops every update."""
    ending = [(one["role"], output.time_text(one["expires_at_s"])) for one in documents if one["renew_soon"]]
    return [f"Metadata {role} expires {when}: surefoot trust renew {role}" for role, when in ending]


def _robots(fleet: dict[str, Any], broker: dict[str, Any]) -> list[str | output.Table]:
    if not fleet["robots"]:
        return ["No robot is enrolled: invite one with `surefoot robot invite ROBOT_ID --sku SKU`.", ""]
    pairs: list[tuple[str, object]] = [
        ("robots", words.number(fleet["robots"])),
        ("online", f"{words.number(fleet['online'])}, heard within {words.duration(fleet['online_within_s'])}"),
    ]
    pairs += [(name.replace("_", " "), words.number(fleet["statuses"].get(name, 0))) for name in TROUBLES]
    addresses = [url for url in (broker["robot_url"], broker["password_url"]) if url is not None]
    pairs.append(("MQTT broker", ", ".join([broker["state"], *addresses])))
    counted = [(count, sku, version) for sku, found in fleet["versions"].items() for version, count in found.items()]
    versions = [
        (sku, version, words.number(count), words.percent(count / fleet["robots"]))
        for count, sku, version in sorted(counted, key=lambda one: (-one[0], one[1:]))
    ]
    return [
        output.facts(pairs),
        "",
        output.Table(("SKU", "RUNS", "ROBOTS", "SHARE"), versions),
        "",
        output.Table(("FIGURE", "VALUE", "TARGET", "IS"), _figures(fleet)),
        "",
    ]


def _figures(fleet: dict[str, Any]) -> list[tuple[str, str, str | None, str | None]]:
    success, rollback = fleet["success_rate"], fleet["rollback_rate"]
    soak_s = sum(phase.soak_s for phase in default_plan().phases)
    of_all = f" of {words.plural(fleet['updates_ended'], 'update')}" if fleet["updates_ended"] else ""
    of_downloads = f", mean of {words.plural(fleet['downloads'], 'download')}" if fleet["downloads"] else ""
    return [
        (
            "succeeded",
            words.percent(success) + of_all,
            f"over {words.percent(SUCCESS_TARGET)}",
            _met(success, success is not None and success > SUCCESS_TARGET),
        ),
        (
            "rolled back",
            words.percent(rollback) + of_all,
            f"under {words.percent(ROLLBACK_TARGET)}",
            _met(rollback, rollback is not None and rollback < ROLLBACK_TARGET),
        ),
        ("download time", words.duration(fleet["mean_download_s"]) + of_downloads, None, None),
        ("time to install", words.duration(fleet["mean_install_s"]), None, None),
        (
            "time to all robots",
            words.duration(fleet["whole_fleet_s"]),
            f"the default plan soaks {words.duration(soak_s)}",
            None,
        ),
    ]


def _met(rate: float | None, is_kept: bool) -> str | None:
    return None if rate is None else "met" if is_kept else "missed"


def _rollouts(
    rollouts: list[dict[str, Any]], known: list[dict[str, Any]], fleet: dict[str, Any]
) -> list[str | output.Table]:
    rows = [
        (
            rollout["rollout_id"],
            _brings(rollout),
            rollout["state"],
            rollout["phase_name"],
            f"{_installed(rollout):,} of {_reached(rollout, known, fleet):,}",
        )
        for rollout in rollouts
    ]
    headings = ("ROLLOUT", "BRINGS", "STATE", "PHASE", "INSTALLED")
    empty = "No rollout is under way: start one with `surefoot rollout start RELEASE_ID`."
    blocks: list[str | output.Table] = [output.Table(headings, rows, empty=empty)]
    if rollouts:
        # Sentences beside ids would leave neither room.
        said = [(_brings(rollout), _says(rollout)) for rollout in rollouts]
        blocks += ["", output.Table(("BRINGS", "HOW IT STANDS"), said)]
    return blocks


def _brings(rollout: dict[str, Any]) -> str:
    return f"{rollout['version']} to {rollout['sku']}" + (" (way back)" if rollout["rolls_back"] else "")


def _reached(rollout: dict[str, Any], known: list[dict[str, Any]], fleet: dict[str, Any]) -> int:
    """Return how many robots a rollout is about: all of its sku, the one it is for, or those that it leads back."""
    if rollout["only_robot_id"] is not None:
        return 1
    everyone: int = sum(fleet["versions"].get(rollout["sku"], {}).values())
    if rollout["rolls_back"] is None:
        return everyone
    brought = [one for one in known if one["release_id"] == rollout["rolls_back"] and one["rolls_back"] is None]
    return min(everyone, sum(map(_installed, brought)))


def _installed(rollout: dict[str, Any]) -> int:
    return sum(rollout["counts"].get(name, 0) for name in INSTALLED)


def _says(rollout: dict[str, Any]) -> str:
    gates = gate_sentence(rollout)
    counts = ", ".join(f"{count:,} {name}" for name, count in rollout["counts"].items()) or "nobody yet"
    return f"{rollout['reason']} " + (f"Gates: {gates} " if gates else "") + f"({counts})"


def _incidents(incidents: list[dict[str, Any]], about: dict[str, str]) -> output.Table:
    rows = [
        (
            incident["incident_id"],
            output.time_text(incident["opened_at_s"]),
            f"{about.get(incident['rollout_id'], incident['rollout_id'])}: {incident['reason']}",
        )
        for incident in incidents
    ]
    return output.Table(("INCIDENT", "OPENED", "WHAT"), rows, empty="No incident is open.")
