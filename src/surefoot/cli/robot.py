"""`surefoot robot`: enrol robots, and see what they run and what they should."""

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.files import write_new_secret
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.robot_pin import register
from surefoot.fleet.broker_access import SALT_BYTES, password_hash
from surefoot.fleet.model import Status
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

_TOKEN_BYTES = 32

app = noun("Enrol robots and see what they run.")


@app.command(epilog=example("surefoot robot add robot-001 --sku standard --token-output robot-001.token"))
@with_operator
def add(
    operator: "OperatorClient",
    robot_id: Annotated[str, typer.Argument(metavar="ROBOT_ID", help="A-Z a-z 0-9 . : _ -, up to 128 characters.")],
    sku: Annotated[str, typer.Option("--sku", help="Hardware type of the robot.")],
    token_path: Annotated[
        Path | None,
        typer.Option(
            "--token-output", help="New file (mode 0600) for the robot's token.", show_default="print it once"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a robot and get the token it proves itself with; the server keeps only hashes of it.

    A token written to a file is made here and never sent.
    """
    body = {"robot_id": robot_id, "sku": sku}
    if token_path is None:
        answer = operator.post("/api/v1/robots", body)
        output.show(answer, as_json, f"Enrolled {robot_id}. Its token, shown this once:", answer["token"])
        return
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    # Written first: should the answer get lost, the robot may be enrolled, and then this is its token.
    write_new_secret(token_path, token.encode("ascii") + b"\n")
    known_by = {
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "broker_password_hash": password_hash(token, secrets.token_bytes(SALT_BYTES)),
    }
    try:
        answer = operator.post("/api/v1/robots", body | known_by)
    except Refused:
        token_path.unlink()
        raise
    output.show(
        {"robot_id": answer["robot_id"], "sku": answer["sku"], "token_file": str(token_path)},
        as_json,
        f"Enrolled {robot_id}; its token is in {token_path}.",
    )


@app.command(epilog=example("surefoot robot invite robot-001 --sku standard --code-output robot-001.code"))
@with_operator
def invite(
    operator: "OperatorClient",
    robot_id: Annotated[str, typer.Argument(metavar="ROBOT_ID", help="A-Z a-z 0-9 . : _ -, up to 128 characters.")],
    sku: Annotated[str, typer.Option("--sku", help="Hardware type of the robot.")],
    code_path: Annotated[
        Path | None,
        typer.Option("--code-output", help="New file (mode 0600) for the code.", show_default="print it once"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a one-time code with which a robot gets its certificate: `surefoot agent enrol`. Earlier codes end."""
    answer = operator.post("/api/v1/enrolment-codes", {"robot_id": robot_id, "sku": sku})
    until = output.time_text(answer["expires_at_s"])
    if code_path is None:
        output.show(answer, as_json, f"Robot {robot_id} can enrol until {until}. Its code, shown once:", answer["code"])
        return
    write_new_secret(code_path, answer.pop("code").encode("ascii") + b"\n")
    value = {**answer, "code_file": str(code_path)}
    output.show(value, as_json, f"Robot {robot_id} can enrol until {until}; its code is in {code_path}.")


@app.command(epilog=example("surefoot robot revoke robot-001 --reason 'stolen from the yard'"))
@with_operator
def revoke(
    operator: "OperatorClient",
    robot_id: Annotated[str, typer.Argument(metavar="ROBOT_ID")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")],
    as_json: AsJson = False,
) -> None:
    """End a robot's token, certificates and codes at once; `surefoot robot invite` lets it back in."""
    from surefoot.cli.client import url_part

    answer = operator.post(f"/api/v1/robots/{url_part(robot_id)}/revoke", {"reason": reason})
    output.show(answer, as_json, f"Robot {robot_id} has no credentials any more.")


@app.command(
    "list",
    epilog=example("surefoot robot list", "surefoot robot list arm-0", "surefoot robot list --status silent --json"),
)
@with_operator
def list_robots(
    operator: "OperatorClient",
    beginning: Annotated[
        str, typer.Argument(metavar="[BEGINNING]", help="Only robots whose ids begin so.", show_default=False)
    ] = "",
    status: Annotated[
        Status | None,
        typer.Option("--status", metavar="STATUS", help=f"Only robots with this status: {', '.join(Status)}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the robots by id: what each runs, what it should run, and how it stands with that."""
    robots = operator.get_all("/api/v1/robots", "robots", beginning=beginning)
    if status is not None:
        robots = [robot for robot in robots if _is(robot, status)]
    rows = [
        (
            robot["robot_id"],
            robot["sku"],
            robot["status"],
            robot["running_version"],
            robot["wanted_version"],
            output.time_text(robot["heard_at_s"]),
            output.time_text(robot["silent_since_s"]),
        )
        for robot in robots
    ]
    empty = "No robot is enrolled: add one with `surefoot robot add`."
    if beginning or status:
        empty = f"No robot{' of these' if beginning else ''} is {status}." if status else "No robot's id begins so."
    headings = ("ROBOT", "SKU", "STATUS", "RUNS", "SHOULD RUN", "LAST HEARD", "SILENT SINCE")
    output.show({"robots": robots}, as_json, output.Table(headings, rows, empty=empty))


@app.command(epilog=example("surefoot robot show robot-001"))
@with_operator
def show(
    operator: "OperatorClient",
    robot_id: Annotated[str, typer.Argument(metavar="ROBOT_ID")],
    as_json: AsJson = False,
) -> None:
    """Show what a robot runs, what it should, how it stands with that and why, and what happened to it."""
    from surefoot.cli.client import url_part
    from surefoot.server.pages.words import refusal

    robot = operator.get(f"/api/v1/robots/{url_part(robot_id)}")
    report = robot["report"] or {}
    code, no_offer = report.get("code"), robot["no_offer"]
    slots = [
        (word, slot.get("slot"), slot.get("version"), slot.get("state"), (slot.get("digest") or "")[:16])
        for word in ("running", "spare")
        if (slot := report.get(word))
    ]
    history = [(output.time_text(entry["at_s"]), entry["kind"], entry["text"]) for entry in robot["history"]]
    output.show(
        robot,
        as_json,
        output.facts(
            [
                ("robot", robot["robot_id"]),
                ("sku", robot["sku"]),
                ("status", f"{robot['status']} ({robot['code']})" if robot["code"] else robot["status"]),
                ("reason", robot["reason"]),
                ("runs", robot["running_version"]),
                ("should run", robot["wanted_version"]),
                ("assignment", _assignment(robot["assignment"])),
                # Where nothing is assigned, the reason says it already.
                *(
                    [("no newer offer", f"{no_offer}: {refusal(no_offer)}")]
                    if no_offer not in (None, robot["code"])
                    else []
                ),
                *([("it reports", f"{code}: {refusal(code)}".removesuffix(": "))] if code else []),
                ("version floor", robot["version_floor"]),
                ("enrolled", output.time_text(robot["enrolled_at_s"])),
                ("last heard", output.time_text(robot["heard_at_s"])),
                ("silent since", output.time_text(robot["silent_since_s"])),
            ]
        ),
        "",
        output.Table(("", "SLOT", "VERSION", "STATE", "DIGEST"), slots, empty="It has not reported its slots yet."),
        "",
        output.Table(("WHEN", "WHAT", "DETAIL"), history, empty="Nothing has happened to it yet."),
    )


register(app)


def _assignment(assignment: dict[str, Any] | None) -> str | None:
    if assignment is None:
        return None
    since = output.time_text(assignment["status_since_s"])
    return f"rollout {assignment['rollout_id']}, attempt {assignment['attempt']}, as it is since {since}"


def _is(robot: dict[str, Any], status: Status) -> bool:
    # An installed robot that falls silent stays installed, and is silent beside it.
    silent = status is Status.SILENT and robot["silent_since_s"] is not None
    return silent or robot["status"] == status
