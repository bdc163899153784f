"""`surefoot rollout plan`: a plan to begin with, the check of one, and what one means for this fleet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.options import DEFAULT_DATA, AsJson, Ca, Data, Server, TokenFile
from surefoot.shell.files import read_file
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.rollout.explain import Outlook
    from surefoot.rollout.plan import Phase, Plan


def plan(
    *,
    check: Annotated[Path | None, typer.Option("--check", metavar="FILE", help="Say whether a plan is right.")] = None,
    explain: Annotated[
        Path | None,
        typer.Option("--explain", metavar="FILE", help="Say what a plan means for this fleet, and what gates can see."),
    ] = None,
    release_id: Annotated[
        str | None, typer.Option("--release", metavar="RELEASE_ID", help="Explain for the robots of its sku.")
    ] = None,
    sku: Annotated[str | None, typer.Option("--sku", metavar="SKU", help="Explain for the robots of this sku.")] = None,
    internal: Annotated[
        list[str] | None,
        typer.Option("--internal", metavar="ROBOT_ID", help="Robot that goes first in the printed plan; repeatable."),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Print the fleet strategy as a plan to edit; or check or explain one. Nothing is started."""
    if check is not None and explain is not None:
        raise Refused("refused-usage", "--explain checks the plan too: give one of --check and --explain.")
    if explain is not None:
        from surefoot.cli.client import connect

        wanted = read_plan(explain)
        with connect(server=server, token_file=token_file, ca=ca, data=data) as operator:
            found_sku, robots = _size(operator, release_id, sku)
            warnings = [] if release_id is None else warnings_of(operator, release_id)
        if not robots:
            warnings.insert(
                0, f"No robot of sku {found_sku} is enrolled: correct it, or enrol robots before the start."
            )
        _show_outlook(wanted, found_sku, robots, warnings, as_json)
    elif check is not None:
        _show_check(check, read_plan(check), as_json)
    else:
        _show_default(tuple(internal or ()), as_json)


def read_plan(path: Path) -> "Plan":
    """Return the plan that a file holds; `Refused` (`refused-file-unreadable`, `refused-plan-format`)."""
    from surefoot.fleet.plan_yaml import plan_from_yaml

    return plan_from_yaml(read_file(path), str(path))


def who_text(phase: "Phase") -> str:
    """Return whom a phase reaches: names, or a percentage."""
    return ", ".join(phase.robots) or f"{phase.percent:g} %"


def _show_default(internal: tuple[str, ...], as_json: bool) -> None:
    from surefoot.fleet.plan_yaml import plan_to_yaml
    from surefoot.rollout.plan import default_plan
    from surefoot.rollout.plan_format import plan_to_object

    default = default_plan(internal)
    output.show(plan_to_object(default), as_json, plan_to_yaml(default).rstrip("\n"))


def _show_check(path: Path, checked: "Plan", as_json: bool) -> None:
    from surefoot.rollout.plan_format import plan_to_object

    phases = [
        (phase.name, who_text(phase), output.duration_text(phase.soak_s), "yes" if phase.approval else None)
        for phase in checked.phases
    ]
    output.show(
        {"plan": plan_to_object(checked)},
        as_json,
        f"{path} is a plan.",
        "",
        output.Table(("PHASE", "WHO", "SOAK", "APPROVAL"), phases),
    )


def _size(operator: "OperatorClient", release_id: str | None, sku: str | None) -> tuple[str, int]:
    """Return the sku that is meant, and how many robots of it the fleet has."""
    versions: dict[str, dict[str, int]] = operator.get("/api/v1/fleet-metrics")["versions"]
    if release_id is not None:
        releases = operator.get_all("/api/v1/releases", "releases")
        sku = next((known["sku"] for known in releases if known["release_id"] == release_id), None)
        if sku is None:
            raise Refused("not-found-release", f"There is no release {release_id}: list the releases.")
    if sku is None:
        if len(versions) != 1:
            names = ", ".join(sorted(versions)) or "none"
            raise Refused("refused-usage", f"The fleet has robots of these skus: {names}; name one with --sku.")
        [sku] = versions
    return sku, sum(versions.get(sku, {}).values())


def warnings_of(operator: "OperatorClient", release_id: str) -> list[str]:
    """Return which robots cannot get the release, and why."""
    from surefoot.cli.client import url_part

    found: list[str] = operator.get(f"/api/v1/releases/{url_part(release_id)}/warnings")["warnings"]
    return found


def _show_outlook(wanted: "Plan", sku: str, robots: int, warnings: list[str], as_json: bool) -> None:
    from surefoot.rollout.explain import USUAL_DEVIATION, USUAL_ONCE_IN_H
    from surefoot.rollout.explain import explain as explain_plan

    outlooks = explain_plan(wanted, robots)
    fleet = "1 robot" if robots == 1 else f"{robots} robots"
    value = {
        "sku": sku,
        "robots": robots,
        "warnings": warnings,
        "phases": [_outlook_object(outlook) for outlook in outlooks],
    }
    phases = [
        (
            outlook.phase.name,
            who_text(outlook.phase),
            outlook.new,
            outlook.reached,
            output.duration_text(outlook.phase.soak_s),
            output.span_text(outlook.ends_after_s),
            "after approval" if outlook.phase.approval else None,
        )
        for outlook in outlooks
    ]
    output.show(
        value,
        as_json,
        *warnings,
        f"The fleet has {fleet} of sku {sku}. About as many of them each phase reaches:",
        "",
        output.Table(("PHASE", "WHO", "NEW", "IN ALL", "SOAK", "ENDS AFTER", "OPENS"), phases),
        "",
        "The least worsening that each gate notices, four times in five:",
        "",
        output.Table(("METRIC", *(outlook.phase.name.upper() for outlook in outlooks)), _least_rows(outlooks)),
        "",
        f"As if a robot usually had each kind of event once in {USUAL_ONCE_IN_H:g} h, and levels differed by "
        f"{USUAL_DEVIATION * 100:.0f} % from robot to robot.",
        "What is usual in this fleet is not looked at. Where events are more frequent, smaller worsenings are noticed.",
        *_accepted(wanted),
        "A dash: nothing. Larger phases and longer soaks see more; with no robots left to compare, only ends count.",
    )


def _accepted(wanted: "Plan") -> list[str]:
    from surefoot.rollout.margins import margin_text

    margins = wanted.gates.margins
    said = ", ".join(f"{metric} {margin_text(metric, margins)}" for metric in margins)
    return [f"By its margins the plan accepts: {said}."] if margins else []


def _outlook_object(outlook: "Outlook") -> dict[str, Any]:
    return {
        "name": outlook.phase.name,
        "new": outlook.new,
        "reached": outlook.reached,
        "others": outlook.others,
        "ends_after_s": outlook.ends_after_s,
        "notices": [
            {"metric": notice.metric.value, "least": notice.least, "sentence": notice.sentence}
            for notice in outlook.notices
        ],
    }


def _least_rows(outlooks: "list[Outlook]") -> list[tuple[str | None, ...]]:
    by_phase = [{notice.metric: notice.least for notice in outlook.notices} for outlook in outlooks]
    return [(metric.value, *(known[metric] for known in by_phase)) for metric in by_phase[0]]
