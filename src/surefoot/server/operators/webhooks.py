"""Webhooks and what waits to be sent, for operators."""

import secrets
from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import Field

from surefoot.fleet import audit
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, OutboxState, retry
from surefoot.fleet.ports import Rows
from surefoot.fleet.webhooks import Event, Webhook, add_webhook, remove_webhook, without_path
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.wire.limits import URL_CHARS_MAX

SECRET_BYTES = 32
OUTBOX_SHOWN = 500

Admin = Annotated[Actor, needs(Permission.ADMIN)]
Operator = Annotated[Actor, needs(Permission.OPERATE)]
Reader = Annotated[Actor, needs(Permission.READ)]

router = APIRouter(tags=["webhooks"])


class WebhookIn(Model):
    """An https address to tell of events, of all when none is named."""

    url: str = Field(max_length=URL_CHARS_MAX)
    events: list[Event] = Field(default_factory=list, max_length=len(Event))


class WebhookOut(Model):
    """A webhook; its secret is shown once, when it is made."""

    webhook_id: str
    url: str
    events: list[Event]
    created_at_s: float
    created_by: str

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """Show a webhook."""
        return cls(**_plain(webhook, ("webhook_id", "url", "events", "created_at_s", "created_by")))


class NewWebhookOut(WebhookOut):
    """A new webhook, with the secret that what it is sent is signed with."""

    secret: str


class WebhooksOut(Model):
    """All webhooks, oldest first."""

    webhooks: list[WebhookOut]


class OutboxEntryOut(Model):
    """Something that waits to be sent, or a dead letter."""

    entry_id: str
    kind: OutboxKind
    target: str
    state: OutboxState
    attempts: int
    created_at_s: float
    due_at_s: float
    last_error: str | None

    @classmethod
    def of(cls, entry: OutboxEntry) -> Self:
        """Show an entry; its body is for whom it is sent to."""
        return cls(**_plain(entry, tuple(cls.model_fields)))


class OutboxOut(Model):
    """What waits to be sent, oldest first."""

    entries: list[OutboxEntryOut]


def _plain(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


@router.get("/webhooks")
async def get_webhooks(services: ServicesDependency, actor: Reader) -> WebhooksOut:
    """List the webhooks; of an address only an admin sees more than scheme and host."""
    found = await services.read(lambda rows: rows.find(Webhook))
    whole = Permission.ADMIN in actor.permissions
    return WebhooksOut(webhooks=[WebhookOut.of(webhook if whole else without_path(webhook)) for webhook in found])


@router.post("/webhooks", status_code=201)
async def post_webhook(services: ServicesDependency, actor: Admin, body: WebhookIn) -> NewWebhookOut:
    """Tell an address of events from now on."""
    webhook_id, secret = services.new_id(), secrets.token_urlsafe(SECRET_BYTES)

    def work(rows: Rows) -> Webhook:
        now_s = services.now_s()
        made = add_webhook(rows, webhook_id, body.url, tuple(body.events), secret, actor.name, now_s)
        audit.record(rows, actor.name, "webhook.create", webhook_id, None, without_path(made), None, now_s)
        return made

    made = await services.write(work)
    return NewWebhookOut(secret=secret, **WebhookOut.of(made).model_dump())


@router.delete("/webhooks/{webhook_id}")
async def delete_webhook(services: ServicesDependency, actor: Admin, webhook_id: str) -> WebhookOut:
    """Tell an address nothing any more."""

    def work(rows: Rows) -> Webhook:
        removed = remove_webhook(rows, webhook_id)
        audit.record(
            rows, actor.name, "webhook.delete", webhook_id, without_path(removed), None, None, services.now_s()
        )
        return removed

    return WebhookOut.of(await services.write(work))


@router.get("/outbox", dependencies=[needs(Permission.READ)])
async def get_outbox(services: ServicesDependency, state: OutboxState = OutboxState.WAITING) -> OutboxOut:
    """List what waits to be sent, or the dead letters."""
    found = await services.read(lambda rows: rows.find(OutboxEntry, limit=OUTBOX_SHOWN, state=state))
    return OutboxOut(entries=[OutboxEntryOut.of(entry) for entry in found])


@router.post("/outbox/{entry_id}/retry")
async def retry_outbox_entry(services: ServicesDependency, actor: Operator, entry_id: str) -> OutboxEntryOut:
    """Try to send a dead letter anew."""

    def work(rows: Rows) -> OutboxEntry:
        now_s = services.now_s()
        again = retry(rows, entry_id, now_s)
        audit.record(rows, actor.name, "outbox.retry", entry_id, None, {"state": again.state}, None, now_s)
        return again

    return OutboxEntryOut.of(await services.write(work))
