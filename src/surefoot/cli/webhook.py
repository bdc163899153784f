"""`surefoot webhook`: addresses that are told of rollouts and incidents, and what could not be told them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.files import write_new_secret
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.fleet.outbox import OutboxState
from surefoot.fleet.webhooks import Event

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

app = noun("Tell other programs of rollouts and incidents.")


@app.command(
    epilog=example(
        "surefoot webhook add https://chat.example.org/fleet --event rollout.halted --event incident.opened "
        "--secret-output webhook.secret",
    )
)
@with_operator
def add(
    operator: "OperatorClient",
    url: Annotated[str, typer.Argument(metavar="URL", help="https address that takes a POST with JSON.")],
    events: Annotated[
        list[Event] | None,
        typer.Option(
            "--event",
            metavar="EVENT",
            help=f"What to tell of, repeatable: {', '.join(Event)}.",
            show_default="all of them",
        ),
    ] = None,
    secret_path: Annotated[
        Path | None,
        typer.Option("--secret-output", help="New file (mode 0600) for the secret.", show_default="print it once"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell an address of events from now on; the secret that signs what it is sent is shown this once."""
    answer = operator.post("/api/v1/webhooks", {"url": url, "events": events or []})
    webhook_id = answer["webhook_id"]
    if secret_path is None:
        output.show(answer, as_json, f"Webhook {webhook_id}. Its secret, shown this once:", answer["secret"])
        return
    try:
        write_new_secret(secret_path, answer["secret"].encode("ascii") + b"\n")
    except Exception:
        # Nobody would have the secret.
        operator.delete(f"/api/v1/webhooks/{webhook_id}")
        raise
    value = {**{name: of for name, of in answer.items() if name != "secret"}, "secret_file": str(secret_path)}
    output.show(value, as_json, f"Webhook {webhook_id}; its secret is in {secret_path}.")


@app.command("list", epilog=example("surefoot webhook list --json"))
@with_operator
def list_webhooks(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the webhooks, oldest first; of an address only an admin sees more than the host."""
    answer = operator.get("/api/v1/webhooks")
    rows = [
        (
            one["webhook_id"],
            one["url"],
            ", ".join(one["events"]),
            one["created_by"],
            output.time_text(one["created_at_s"]),
        )
        for one in answer["webhooks"]
    ]
    empty = "Nobody is told of anything: name an address with `surefoot webhook add`."
    output.show(answer, as_json, output.Table(("WEBHOOK", "ADDRESS", "EVENTS", "BY", "MADE"), rows, empty=empty))


@app.command(epilog=example("surefoot webhook remove WEBHOOK_ID"))
@with_operator
def remove(
    operator: "OperatorClient",
    webhook_id: Annotated[str, typer.Argument(metavar="WEBHOOK_ID", help="See `surefoot webhook list`.")],
    as_json: AsJson = False,
) -> None:
    """Tell an address nothing any more, not even what waits for it."""
    from surefoot.cli.client import url_part

    answer = operator.delete(f"/api/v1/webhooks/{url_part(webhook_id)}")
    output.show(answer, as_json, f"{answer['url']} is told nothing any more.")


@app.command(epilog=example("surefoot webhook undelivered", "surefoot webhook undelivered --given-up --json"))
@with_operator
def undelivered(
    operator: "OperatorClient",
    given_up: Annotated[bool, typer.Option("--given-up", help="Those that are not tried any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what waits to be told, webhooks or others, and why it was not taken; the oldest first."""
    answer = operator.get("/api/v1/outbox", state=OutboxState.DEAD if given_up else OutboxState.WAITING)
    rows = [
        (
            entry["entry_id"],
            entry["kind"],
            entry["target"],
            entry["attempts"],
            "-" if given_up else output.time_text(entry["due_at_s"]),
            entry["last_error"],
        )
        for entry in answer["entries"]
    ]
    headings = ("ENTRY", "KIND", "TO", "ATTEMPTS", "NEXT", "WHY")
    output.show(answer, as_json, output.Table(headings, rows, empty="Nothing waits."))


@app.command(epilog=example("surefoot webhook retry ENTRY_ID"))
@with_operator
def retry(
    operator: "OperatorClient",
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY_ID", help="See `surefoot webhook undelivered`.")],
    as_json: AsJson = False,
) -> None:
    """Try to tell something now, also what was given up."""
    from surefoot.cli.client import url_part

    answer = operator.post(f"/api/v1/outbox/{url_part(entry_id)}/retry", {})
    output.show(answer, as_json, f"{entry_id} is tried again.")
