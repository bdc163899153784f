"""`surefoot key rotate` and `surefoot key rotation`: the ceremony after a key was compromised.

The server holds where it stands, so the command may be stopped at any moment and given again: it goes on from there.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

ROBOTS_SHOWN = 20

KeyName = Annotated[
    str | None, typer.Argument(metavar="[KEY]", help="The old key: its name or the beginning of its id.")
]

app = noun("Look at key rotations, exclude robots from them, or give one up.")


@with_operator
def rotate(
    operator: "OperatorClient",
    *,
    key: KeyName = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; needed to begin, and kept in the audit log.")] = "",
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="URI", help="New key; a file: that is not there is made.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call the new key.")] = None,
    ask_passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Encrypt a new key's file with a passphrase that is asked for.")
    ] = False,
    old_key: Annotated[
        str | None, typer.Option("--old-key", metavar="URI", help="Old private key; signs transition releases.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option("--image", help="Transition image with the new key in it, signed by the old key.")
    ] = None,
    sku: Annotated[str | None, typer.Option("--sku", help="Hardware type the image is made for.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="For a file that names no version itself.")] = None,
    version_floor: Annotated[
        str | None,
        typer.Option("--version-floor", help="Lowest version a robot accepts once it has confirmed the image."),
    ] = None,
    protocol: Annotated[
        int | None, typer.Option("--protocol", help="Protocol the image speaks with its companion.", min=0)
    ] = None,
    targets_keys: Annotated[
        list[str] | None, typer.Option("--targets-key", metavar="URI", help="Key that signs the metadata now.")
    ] = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Overwrite and remove the old key's file, once it is marked destroyed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before what cannot be undone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace a key that is not safe any more, step by step; give it again to go on from where it stands."""
    from surefoot.cli import rotation_steps as steps

    asker = steps.Asker(yes)
    rotation = find(operator, key)
    if rotation is None:
        rotation = steps.begin(operator, key, reason, asker)
    if rotation["step"] == "generate" and new_key is not None:
        rotation = steps.name_key(operator, rotation, new_key, name, ask_passphrase)
    if image is not None and rotation["new_key"] is not None:
        if sku is None or old_key is None:
            raise Refused("refused-usage", "A transition release needs --image, --sku and --old-key.")
        manifest = {"version_floor": version_floor, "protocol": protocol}
        steps.publish(operator, rotation, image, sku, version, [old_key, *(targets_keys or ())], manifest)
        rotation = again(operator, rotation)
    if rotation["step"] in ("transition", "verify") and not waiting(rotation):
        rotation = operator.post(f"{path_of(rotation)}/verify", {})
    if rotation["step"] == "destroy" and not waiting(rotation) and not rotation["root_names_old"]:
        rotation = steps.destroy(operator, rotation, asker)
    if erase and rotation["step"] == "finished":
        steps.erase(rotation, old_key, asker)
    show(rotation, as_json)


@app.command("list", epilog=example("surefoot key rotation list --json"))
@with_operator
def list_rotations(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the key rotations, newest first."""
    answer = operator.get("/api/v1/rotations")
    rows = [
        (
            rotation["old_key"]["name"],
            rotation["old_key"]["key_id"][:16],
            rotation["step"],
            output.time_text(rotation["started_at_s"]),
            rotation["reason"],
        )
        for rotation in answer["rotations"]
    ]
    table = output.Table(("OLD KEY", "KEY ID", "STEP", "STARTED", "REASON"), rows, empty="No key was ever rotated.")
    output.show(answer, as_json, table)


@app.command(epilog=example("surefoot key rotation status", "surefoot key rotation status release-2026 --json"))
@with_operator
def status(operator: "OperatorClient", key: KeyName = None, as_json: AsJson = False) -> None:
    """Show where a rotation stands, which robots it waits for, and what to do next."""
    show(required(operator, key), as_json)


@app.command(epilog=example('surefoot key rotation exclude robot-009 --reason "scrapped in May"'))
@with_operator
def exclude(
    operator: "OperatorClient",
    robot_id: Annotated[str, typer.Argument(metavar="ROBOT_ID")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log.")],
    key: Annotated[str | None, typer.Option("--key", help="The old key, where several are rotated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide not to wait for a robot: once the old key is destroyed, it takes no update any more."""
    rotation = required(operator, key)
    body = {"robot_id": robot_id, "reason": reason}
    show(operator.post(f"{path_of(rotation)}/exclusions", body), as_json)


@app.command(epilog=example('surefoot key rotation cancel --reason "the fleet is scrapped"'))
@with_operator
def cancel(
    operator: "OperatorClient",
    key: KeyName = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before what cannot be undone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a rotation up before its transition; the old key stays revoked, and no robot is brought a new one."""
    from surefoot.cli.rotation_steps import Asker

    rotation = required(operator, key)
    Asker(yes).ask("The old key stays revoked for ever: robots that trust only that one take no update any more.")
    show(operator.post(f"{path_of(rotation)}/cancel", {"reason": reason}), as_json)


def find(operator: "OperatorClient", key: str | None) -> Any:
    """Return the rotation of a key, or the one that is open; None when there is none.

    Raises:
        Refused: `refused-usage` where several are open and none is named.
    """
    known = operator.get("/api/v1/rotations")["rotations"]
    if key is not None:
        known = [rotation for rotation in known if _is_named(rotation["old_key"], key)]
        return known[0] if known else None
    is_open = [rotation for rotation in known if rotation["step"] not in ("finished", "cancelled")]
    if len(is_open) > 1:
        raise Refused("refused-usage", "Several keys are being rotated: name one; see `surefoot key rotation list`.")
    return is_open[0] if is_open else None


def required(operator: "OperatorClient", key: str | None) -> Any:
    """Return the rotation that is meant; raise `Refused` (`not-found-rotation`, `refused-usage`)."""
    rotation = find(operator, key)
    if rotation is None:
        raise Refused("not-found-rotation", "No such key is being rotated: see `surefoot key rotation list`.")
    return rotation


def key_named(operator: "OperatorClient", key: str) -> Any:
    """Return the one key with this name or beginning of an id; raise `Refused` (`not-found-key`, `refused-usage`)."""
    found = [known for known in operator.get("/api/v1/keys")["keys"] if _is_named(known, key)]
    if not found:
        raise Refused("not-found-key", f"The server knows no key {key}: see `surefoot key list`.")
    if len(found) > 1:
        raise Refused("refused-usage", f"{key} may be one of {len(found)} keys: write its whole id.")
    return found[0]


def again(operator: "OperatorClient", rotation: Any) -> Any:
    """Return the rotation as it stands now."""
    return operator.get(path_of(rotation))


def path_of(rotation: Any) -> str:
    """Return a rotation's address."""
    return f"/api/v1/rotations/{rotation['rotation_id']}"


def waiting(rotation: Any) -> int:
    """Return how many robots a rotation waits for."""
    return int(rotation["counts"]["straggler"] + rotation["counts"]["silent"])


def show(rotation: Any, as_json: bool) -> None:
    """Print where a rotation stands and what comes next."""
    from surefoot.cli.rotation_next import next_line

    counts = ", ".join(f"{count} {standing}" for standing, count in rotation["counts"].items())
    new = rotation["new_key"]
    pairs = [
        (
            "old key",
            f"{rotation['old_key']['name']} {rotation['old_key']['key_id'][:16]} {rotation['old_key']['state']}",
        ),
        ("new key", None if new is None else f"{new['name']} {new['key_id'][:16]} {new['state']}"),
        ("reason", rotation["reason"]),
        ("begun", f"{output.time_text(rotation['started_at_s'])} by {rotation['started_by']}"),
        ("next step", rotation["step"]),
        ("transition", ", ".join(f"{one['sku']} {one['release_id']}" for one in rotation["transitions"])),
        ("robots", counts),
        (
            "metadata",
            f"its root still names the old key for {', '.join(rotation['root_names_old'])}"
            if rotation["root_names_old"]
            else "does not name the old key",
        ),
    ]
    if rotation["ended_at_s"] is not None:
        ended = f"{output.time_text(rotation['ended_at_s'])} by {rotation['ended_by']} from {rotation['ended_from']}"
        pairs.append(("ended", ended))
    why = {exclusion["robot_id"]: f"{exclusion['reason']} ({exclusion['who']})" for exclusion in rotation["exclusions"]}
    rows = [
        (
            robot["robot_id"],
            robot["sku"],
            robot["standing"],
            output.time_text(robot["heard_at_s"]),
            why.get(robot["robot_id"]),
        )
        for robot in rotation["behind"][: None if not sys.stdout.isatty() else ROBOTS_SHOWN]
    ]
    table = output.Table(
        ("ROBOT", "SKU", "STANDING", "HEARD", "EXCLUDED BECAUSE"), rows, empty="Every robot has adopted the new key."
    )
    output.show(rotation, as_json, output.facts(pairs), "", table, "", next_line(rotation))


def _is_named(known: Any, key: str) -> bool:
    return bool(known["name"] == key or (len(key) >= 8 and known["key_id"].startswith(key)))
