"""`surefoot audit`: what was changed, by whom and why, and whether that record is whole."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.wire.errors import Damaged, Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.fleet.audit import Entry

app = noun("See who changed what, and check that the record is whole.")

_PAGE_ENTRIES = 500
_SHOWN_CHARS = 80
_SHA256 = re.compile("[0-9a-f]{64}")


@app.command(
    "list", epilog=example("surefoot audit list --limit 20", "surefoot audit list --actor anna --action rollout.halt")
)
@with_operator
def list_entries(
    operator: "OperatorClient",
    actor: Annotated[str | None, typer.Option("--actor", help="Only what this account did.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only changes such as rollout.halt.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Only changes of what has this id.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List changes, newest first: when, who, what, from what to what, and why."""
    wanted = {"actor": actor, "action": action, "target": target}
    query = {name: value for name, value in wanted.items() if value is not None}
    answer = operator.get("/api/v1/audit", limit=limit, **query)
    rows = [
        (
            entry["number"],
            output.time_text(entry["at_s"]),
            entry["actor"],
            entry["action"],
            entry["target"],
            _short(entry["before"]),
            _short(entry["after"]),
            entry["reason"],
        )
        for entry in answer["entries"]
    ]
    headings = ("NUMBER", "WHEN", "WHO", "WHAT", "OF WHAT", "BEFORE", "AFTER", "WHY")
    output.show(answer, as_json, output.Table(headings, rows, empty="Nothing was changed yet."))


@app.command(epilog=example("surefoot audit verify", "surefoot audit verify --head 5f1c…"))
@with_operator
def verify(
    operator: "OperatorClient",
    head: Annotated[
        str | None,
        typer.Option("--head", help="A sha256 that an earlier run told: the record must still hold that entry."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the whole record and name the first entry that was edited, removed or moved; exit code 1 if there is one.

    That the newest entries were cut off shows only against a sha256 noted earlier: keep what this prints.
    """
    from surefoot.fleet.audit import verify as verify_chain

    if head is not None and not _SHA256.fullmatch(head):
        raise Refused(
            "refused-usage", "--head takes the 64 hex digits that an earlier run printed as head: correct it."
        )
    walk = _Walk(head)
    broken = verify_chain(walk.over(_entries(operator)))
    if broken is not None:
        raise Damaged("damaged-audit", f"The audit log breaks at entry {broken.number}: {broken.why}")
    if head is not None and not walk.saw_head:
        raise Damaged("damaged-audit", "The audit log does not hold the entry with that sha256: it was cut off.")
    newest = walk.newest
    value = {"entries": newest.number if newest else 0, "head": newest.sha256 if newest else None}
    told = f"The audit log is whole: {value['entries']} entries."
    output.show(value, as_json, told, *([f"head  {newest.sha256}"] if newest else []))


class _Walk:
    """Notes what passes by: the newest entry, and whether the one with the wanted sha256 was there."""

    def __init__(self, head: str | None) -> None:
        self._head = head
        self.saw_head = False
        self.newest: Entry | None = None

    def over(self, entries: "Iterator[Entry]") -> "Iterator[Entry]":
        for entry in entries:
            self.newest = entry
            self.saw_head = self.saw_head or entry.sha256 == self._head
            yield entry


def _entries(operator: "OperatorClient") -> "Iterator[Entry]":
    from surefoot.fleet.audit import Entry

    query: dict[str, str | int] = {"oldest_first": "true", "limit": _PAGE_ENTRIES}
    while True:
        page = operator.get("/api/v1/audit", **query)
        for entry in page["entries"]:
            yield Entry(**entry)
        if page["next_after"] is None:
            return
        query["after"] = page["next_after"]


def _short(value: object) -> str | None:
    text = None if value is None else json.dumps(value, ensure_ascii=False)
    return text if text is None or len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
