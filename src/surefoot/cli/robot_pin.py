"""`surefoot robot install`, `pin`, `unpin`, `pins`, `time-zone`: what a person arranges for one robot alone."""

from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.noun import example
from surefoot.cli.options import AsJson, with_operator

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

RobotId = Annotated[str, typer.Argument(metavar="ROBOT_ID")]


def register(app: typer.Typer) -> None:
    """Add these commands to the noun `robot`."""
    app.command(
        epilog=example(
            'surefoot robot install robot-007 RELEASE_ID --reason "trial in the lab"',
            'surefoot robot install robot-007 RELEASE_ID --force --reason "flash was in doubt"',
        )
    )(install)
    app.command(
        epilog=example(
            'surefoot robot pin robot-007 --reason "on loan to the lab"',
            'surefoot robot pin robot-007 --release RELEASE_ID --reason "last version with the old arm"',
        )
    )(pin)
    app.command(epilog=example("surefoot robot unpin robot-007"))(unpin)
    app.command(epilog=example("surefoot robot pins"))(pins)
    app.command("time-zone", epilog=example("surefoot robot time-zone robot-007 Europe/Berlin"))(time_zone)


@with_operator
def install(
    operator: "OperatorClient",
    robot_id: RobotId,
    release_id: Annotated[str, typer.Argument(metavar="RELEASE_ID", help="See `surefoot release list`.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with its rollout and in the audit log.")],
    force: Annotated[
        bool, typer.Option("--force", help="Install it once more where the robot runs it already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a release to one robot alone, by a rollout of its own that ends once the robot has installed it."""
    body = {"release_id": release_id, "reason": reason, "force": force}
    rollout = operator.post(f"{_path(robot_id)}/install", body)
    output.show(
        rollout,
        as_json,
        f"Rollout {rollout['rollout_id']} offers {rollout['version']} to {robot_id} alone, when it asks next.",
        f"Next: surefoot rollout status {rollout['rollout_id']}",
    )


@with_operator
def pin(
    operator: "OperatorClient",
    robot_id: RobotId,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the pin and in the audit log.")],
    release_id: Annotated[
        str | None,
        typer.Option("--release", metavar="RELEASE_ID", help="The only release to offer it.", show_default="none"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keep a robot from every release, or every one but one, until it is unpinned. A recall still leads it back."""
    answer = operator.post(f"{_path(robot_id)}/pin", {"release_id": release_id, "reason": reason})
    only = f"nothing but release {release_id}" if release_id else "nothing"
    output.show(answer, as_json, f"Robot {robot_id} is pinned: it is offered {only}.")


@with_operator
def unpin(operator: "OperatorClient", robot_id: RobotId, as_json: AsJson = False) -> None:
    """Let rollouts reach a pinned robot again."""
    answer = operator.delete(f"{_path(robot_id)}/pin")
    output.show(answer, as_json, f"Robot {robot_id} is not pinned any more.")


@with_operator
def pins(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the pinned robots, with who pinned each, when and why."""
    answer = operator.get("/api/v1/pins")
    rows = [
        (pin["robot_id"], pin["release_id"], pin["pinned_by"], output.time_text(pin["pinned_at_s"]), pin["reason"])
        for pin in answer["pins"]
    ]
    headings = ("ROBOT", "RELEASE", "WHO", "SINCE", "WHY")
    output.show(answer, as_json, output.Table(headings, rows, empty="No robot is pinned."))


@with_operator
def time_zone(
    operator: "OperatorClient",
    robot_id: RobotId,
    zone: Annotated[str, typer.Argument(metavar="ZONE", help="By its IANA name, such as Europe/Berlin.")],
    as_json: AsJson = False,
) -> None:
    """Say in which time zone a robot stands, for plans with maintenance windows; without one it goes by UTC."""
    answer = operator.post(f"{_path(robot_id)}/time-zone", {"zone": zone})
    output.show(answer, as_json, f"Robot {robot_id} goes by {zone}.")


def _path(robot_id: str) -> str:
    from surefoot.cli.client import url_part

    return f"/api/v1/robots/{url_part(robot_id)}"
