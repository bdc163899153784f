"""The audit log, for operators."""

from typing import Annotated

from fastapi import APIRouter, Query

from surefoot.fleet.audit import Entry
from surefoot.fleet.ports import Rows
from surefoot.server.operators.account_models import EntriesOut, EntryOut
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Permission, needs
from surefoot.wire.errors import Refused
from surefoot.wire.limits import INTEGER_MAX

ENTRIES_PER_PAGE_MAX = 1000
Filter = Annotated[str | None, Query(max_length=256)]

router = APIRouter(tags=["audit"])


@router.get("/audit", dependencies=[needs(Permission.READ)])
async def get_audit(
    services: ServicesDependency,
    after: Annotated[
        int | None, Query(ge=1, le=INTEGER_MAX, description="Number of the entry to go on behind.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=ENTRIES_PER_PAGE_MAX)] = 100,
    oldest_first: bool = False,
    actor: Filter = None,
    action: Filter = None,
    target: Filter = None,
) -> EntriesOut:
    """List what was changed, newest first, a page at a time, by whom, of which kind, or on what."""
    wanted = {"actor": actor, "action": action, "target": target}
    equals = {name: value for name, value in wanted.items() if value is not None}

    def work(rows: Rows) -> list[Entry]:
        if after is not None and not rows.find(Entry, limit=1, number=after):
            raise Refused("not-found-audit-entry", f"There is no audit entry {after}: begin the list anew.")
        return rows.find(Entry, newest_first=not oldest_first, limit=limit, after=after, **equals)

    found = await services.read(work)
    next_after = found[-1].number if len(found) == limit else None
    return EntriesOut(entries=[EntryOut.of(entry) for entry in found], next_after=next_after)
