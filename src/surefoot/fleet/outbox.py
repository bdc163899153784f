"""What must be told to others: written in the transaction of the decision, sent by the leader, at least once.

An entry keeps its id however often it is sent, so that whoever gets it twice can tell. What was sent leaves the outbox;
what could not be sent for long stays as a dead letter until a person looks.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused

FIRST_RETRY_S = 5.0
RETRY_S_MAX = 3600.0
# With the pauses between them some ten hours.
ATTEMPTS_MAX = 20


class OutboxKind(StrEnum):
    """How an entry is sent: posted to an address, or pushed to robots over MQTT.

    `mqtt_wake` calls robots behind the open door of the rollout that is its target, `mqtt_recall` stops those that
    update by it. One entry stands for one decision, however many robots it is about.
    """

    WEBHOOK = "webhook"
    CDN_PURGE = "cdn_purge"
    MQTT_WAKE = "mqtt_wake"
    MQTT_RECALL = "mqtt_recall"


PUSHED = (OutboxKind.MQTT_WAKE, OutboxKind.MQTT_RECALL)


class OutboxState(StrEnum):
    """Whether an entry is still tried."""

    WAITING = "waiting"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One thing to send: `target` says to whom in the terms of its kind, `body` is JSON text.

    Times are Unix seconds; `last_error` says why the last attempt failed.
    """

    entry_id: str
    kind: OutboxKind
    target: str
    body: str
    created_at_s: float
    due_at_s: float
    attempts: int = 0
    state: OutboxState = OutboxState.WAITING
    last_error: str | None = None


def enqueue(rows: Rows, entry_id: str, kind: OutboxKind, target: str, body: str, now_s: float) -> None:
    """Let the leader send this as soon as the transaction is durable; the same id again changes nothing."""
    if rows.get(OutboxEntry, entry_id) is None:
        rows.put(
            OutboxEntry(entry_id=entry_id, kind=kind, target=target, body=body, created_at_s=now_s, due_at_s=now_s)
        )


def due(rows: Rows, now_s: float, limit: int) -> list[OutboxEntry]:
    """Return up to `limit` entries to post whose time has come, the oldest first."""
    waiting = [entry for entry in rows.find(OutboxEntry, state=OutboxState.WAITING) if entry.kind not in PUSHED]
    # A clock that was set back must not hold an entry for longer than its longest pause.
    return [entry for entry in waiting if not 0 < entry.due_at_s - now_s <= RETRY_S_MAX][:limit]


def to_push(rows: Rows) -> list[OutboxEntry]:
    """Return the entries to push, the oldest first: they wait for nothing but the broker."""
    return [entry for entry in rows.find(OutboxEntry, state=OutboxState.WAITING) if entry.kind in PUSHED]


def note_sent(rows: Rows, entry: OutboxEntry) -> None:
    """Take an entry out that was received."""
    rows.drop(OutboxEntry, entry.entry_id)


def note_failed(rows: Rows, entry: OutboxEntry, why: str, chance: float, now_s: float) -> None:
    """Plan another attempt, later each time and spread by `chance` in [0, 1), or give the entry up."""
    known = rows.get(OutboxEntry, entry.entry_id)
    if known is None:
        return
    attempts = known.attempts + 1
    pause_s = min(RETRY_S_MAX, FIRST_RETRY_S * 2 ** (attempts - 1)) * (0.5 + chance / 2)
    state = OutboxState.DEAD if attempts >= ATTEMPTS_MAX else OutboxState.WAITING
    rows.put(replace(known, attempts=attempts, due_at_s=now_s + pause_s, state=state, last_error=why))


def retry(rows: Rows, entry_id: str, now_s: float) -> OutboxEntry:
    """Try a dead letter anew; `Refused` (`not-found-outbox-entry`)."""
    entry = rows.get(OutboxEntry, entry_id)
    if entry is None:
        raise Refused("not-found-outbox-entry", f"Nothing with the id {entry_id} waits to be sent: list the outbox.")
    again = replace(entry, state=OutboxState.WAITING, attempts=0, due_at_s=now_s)
    rows.put(again)
    return again
