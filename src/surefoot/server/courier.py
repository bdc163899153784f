"""Sends what is in the outbox, for as long as this process leads.

What was received is struck out under the same lease as decisions are made. A leader that dies in between leaves the
entry to its successor, which sends it again under the same id.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable

from surefoot.fleet.lease import RENEW_S, Lease, hold
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, due, note_failed, note_sent, to_push
from surefoot.fleet.ports import Rows
from surefoot.fleet.webhooks import SIGNATURE_HEADER, Webhook, signature
from surefoot.server.outage import Outage
from surefoot.server.services import Services
from surefoot.server.webhooks import Post, Sender
from surefoot.wire.errors import SurefootError

# In one round; a receiver that is slow keeps the others waiting no longer than this many of its own.
ROUND_MAX = 64
ROUND_MAX_PER_TARGET = 4
DUE_MAX = 1000

log = logging.getLogger(__name__)


class Courier:
    """Takes what is due to where it belongs.

    Args:
        services: What it works with.
        sender: The client.
        chance: Numbers in [0, 1) that spread retries.
    """

    def __init__(
        self,
        services: Services,
        sender: Sender | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._services = services
        self._sender = sender or Sender()
        self._chance = chance

    async def run(self) -> None:
        """Send until cancelled; what fails is logged and tried again."""
        outage = Outage(log, "sending-failed")
        try:
            while True:
                lease = self._services.leadership.lease
                try:
                    if lease is not None:
                        await self.send_due(lease)
                except SurefootError as error:
                    outage.met(error)
                except Exception:
                    log.exception("sending-failed")
                else:
                    outage.over()
                await asyncio.sleep(RENEW_S)
        finally:
            await self._sender.close()

    async def send_due(self, lease: Lease) -> int:
        """Try what is due once, and return how many entries that were; raise `Interrupted` (`interrupted-lease`)."""
        services = self._services
        entries = await services.read(lambda rows: _round(due(rows, services.now_s(), DUE_MAX)))
        if services.broker is None:
            # Nobody listens: robots hear of it when they ask.
            entries += await services.read(to_push)
        await asyncio.gather(*(self._try(lease, entry) for entry in entries))
        return len(entries)

    async def _try(self, lease: Lease, entry: OutboxEntry) -> None:
        services = self._services
        error: SurefootError | None = None
        try:
            post = await services.read(lambda rows: self._post(rows, entry))
            if post is not None:
                await self._sender.send(post)
        except SurefootError as caught:
            error = caught
            log.warning("not-sent id=%s attempt=%d code=%s", entry.entry_id, entry.attempts + 1, caught.code)

        def settle(rows: Rows) -> None:
            hold(rows, lease)
            if error is None:
                note_sent(rows, entry)
            else:
                note_failed(rows, entry, f"{error.message} [{error.code}]", self._chance(), services.now_s())

        await services.write(settle)

    def _post(self, rows: Rows, entry: OutboxEntry) -> Post | None:
        """Return the message, None when there is nobody to send it to any more."""
        settings, body = self._services.settings, entry.body.encode()
        match entry.kind:
            case OutboxKind.CDN_PURGE:
                if settings.cdn_purge_url is None:
                    return None
                headers = {"Surefoot-Delivery": entry.entry_id}
                # Named by who runs the server, and so not held to public addresses.
                return Post(url=settings.cdn_purge_url, body=body, headers=headers, own_network=True)
            case OutboxKind.MQTT_WAKE | OutboxKind.MQTT_RECALL:
                return None
            case OutboxKind.WEBHOOK:
                webhook = rows.get(Webhook, entry.target)
                if webhook is None:
                    return None
                signed = signature(webhook.secret, body, int(self._services.now_s()))
                headers = {"Surefoot-Delivery": entry.entry_id, SIGNATURE_HEADER: signed}
                return Post(url=webhook.url, body=body, headers=headers, own_network=settings.webhook_private_addresses)


def _round(entries: list[OutboxEntry]) -> list[OutboxEntry]:
    taken: Counter[str] = Counter()
    chosen = []
    for entry in entries:
        taken[entry.target] += 1
        if taken[entry.target] <= ROUND_MAX_PER_TARGET:
            chosen.append(entry)
    return chosen[:ROUND_MAX]
