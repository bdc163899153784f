"""The audit log: who changed what, searched, and whether the chain of its entries holds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from surefoot.fleet.audit import Break, Entry, verify
from surefoot.fleet.ports import Rows
from surefoot.server.pages.dependencies import Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.rendering import render
from surefoot.wire.limits import INTEGER_MAX

LISTED = 50
PAGE = 1000
Filter = Annotated[str, Query(max_length=256)]

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What walking the whole log found: how many entries, the first that does not hold, and when it was walked."""

    entries: int
    broken: Break | None
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """An entry with what it changed, as text."""

    entry: Entry
    before: str
    after: str


@router.get("/audit")
async def get_audit(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    who: Filter = "",
    action: Filter = "",
    target: Filter = "",
    after: Annotated[int | None, Query(ge=1, le=INTEGER_MAX)] = None,
) -> Response:
    """List what was changed, newest first, a page at a time."""
    wanted = {"actor": who.strip(), "action": action.strip(), "target": target.strip()}
    equals = {name: value for name, value in wanted.items() if value}
    found = await services.read(lambda rows: rows.find(Entry, newest_first=True, limit=LISTED, after=after, **equals))
    return render(
        request,
        "audit.html",
        title="Audit log",
        lines=[_line(entry) for entry in found],
        chain=await snapshots.get("audit", lambda rows: walk(rows, services.now_s())),
        wanted=wanted,
        after=after,
        next=found[-1].number if len(found) == LISTED else None,
    )


def walk(rows: Rows, now_s: float) -> Chain:
    """Verify the whole log."""
    counted = 0

    def entries() -> Iterator[Entry]:
        nonlocal counted
        after = None
        while page := rows.find(Entry, limit=PAGE, after=after):
            counted += len(page)
            yield from page
            after = page[-1].number

    broken = verify(entries())
    return Chain(entries=counted, broken=broken, at_s=now_s)


def _line(entry: Entry) -> EntryLine:
    return EntryLine(entry=entry, before=_text(entry.before), after=_text(entry.after))


def _text(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=1, ensure_ascii=False)
