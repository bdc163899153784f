"""Webhooks: whom to tell of rollouts and incidents, and the signature by which they know who told them.

The body is JSON with the event's id, which stays the same when it is sent twice. `Surefoot-Signature` is `t=SECONDS,
v1=HEX` with HMAC-SHA-256 over `SECONDS.BODY` by the webhook's secret; a receiver refuses what is older than minutes.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from surefoot.fleet.outbox import OutboxEntry, OutboxKind, enqueue
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused
from surefoot.wire.limits import URL_CHARS_MAX

SIGNATURE_HEADER = "Surefoot-Signature"
WEBHOOKS_MAX = 100


class Event(StrEnum):
    """What a webhook can be told of."""

    ROLLOUT_STARTED = "rollout.started"
    ROLLOUT_PHASE_OPENED = "rollout.phase_opened"
    ROLLOUT_APPROVED = "rollout.approved"
    ROLLOUT_PAUSED = "rollout.paused"
    ROLLOUT_RESUMED = "rollout.resumed"
    ROLLOUT_HALTED = "rollout.halted"
    ROLLOUT_FINISHED = "rollout.finished"
    RELEASE_RECALLED = "release.recalled"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_CLOSED = "incident.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told of `events`; the secret is kept readable, as every body is signed with it."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    secret: str
    created_at_s: float
    created_by: str


def add_webhook(
    rows: Rows, webhook_id: str, url: str, events: tuple[Event, ...], secret: str, who: str, now_s: float
) -> Webhook:
    """Tell an address of these events from now on, of all when none is named.

    Raises:
        Refused: `refused-webhook` when the address is not https, or there are too many webhooks.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        usable = False
    if not usable or len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("refused-webhook", "A webhook's address must be https://HOST/… without a user name: correct it.")
    if len(rows.find(Webhook)) >= WEBHOOKS_MAX:
        raise Refused("refused-webhook", f"There are {WEBHOOKS_MAX} webhooks already: remove one first.")
    webhook = Webhook(
        webhook_id=webhook_id,
        url=url,
        events=tuple(sorted(set(events or Event))),
        secret=secret,
        created_at_s=now_s,
        created_by=who,
    )
    rows.put(webhook)
    return webhook


def find_webhook(rows: Rows, webhook_id: str) -> Webhook:
    """Return a webhook; `Refused` (`not-found-webhook`)."""
    webhook = rows.get(Webhook, webhook_id)
    if webhook is None:
        raise Refused("not-found-webhook", f"There is no webhook {webhook_id}: list the webhooks.")
    return webhook


def without_path(webhook: Webhook) -> Webhook:
    """Return a webhook whose address is cut to scheme and host, as path and query often hold a receiver's secret."""
    parts = urlsplit(webhook.url)
    return replace(webhook, url=f"{parts.scheme}://{parts.netloc}")


def remove_webhook(rows: Rows, webhook_id: str) -> Webhook:
    """Tell an address nothing any more, not even what waits for it; `Refused` (`not-found-webhook`)."""
    webhook = find_webhook(rows, webhook_id)
    for entry in rows.find(OutboxEntry, target=webhook_id):
        rows.drop(OutboxEntry, entry.entry_id)
    rows.drop(Webhook, webhook_id)
    return webhook


def announce(rows: Rows, event: Event, event_id: str, facts: Mapping[str, Any], now_s: float) -> None:
    """Put an event into the outbox, once for each webhook that wants it."""
    for webhook in rows.find(Webhook):
        if event in webhook.events:
            body = json.dumps({"id": event_id, "event": event, "at_s": now_s, **facts})
            entry_id = f"{event_id}:{webhook.webhook_id}"
            enqueue(rows, entry_id, OutboxKind.WEBHOOK, webhook.webhook_id, body, now_s)


def signature(secret: str, body: bytes, sent_at_s: int) -> str:
    """Return what `Surefoot-Signature` says of a body sent at this moment."""
    signed = hmac.digest(secret.encode(), b"%d.%b" % (sent_at_s, body), hashlib.sha256)
    return f"t={sent_at_s}, v1={signed.hex()}"
