"""Webhooks are told what they asked for, in the transaction in which it happened, and can check who told them."""

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from fleet.fleet_case import FleetCase
from support import code_of
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, OutboxState
from surefoot.fleet.rollouts import halt_rollout
from surefoot.fleet.webhooks import Event, Webhook, add_webhook, announce, remove_webhook, signature, without_path


def add(fleet: FleetCase, *events: Event, webhook_id: str = "hook-1", url: str = "https://ops.test/in") -> Webhook:
    return fleet.run(lambda rows: add_webhook(rows, webhook_id, url, events, "secret", "ada", fleet.now_s))


def waiting(fleet: FleetCase) -> list[dict[str, Any]]:
    entries = fleet.run(lambda rows: rows.find(OutboxEntry, state=OutboxState.WAITING))
    return [json.loads(entry.body) for entry in entries if entry.kind is OutboxKind.WEBHOOK]


def test_a_webhook_is_told_only_of_what_it_asked_for(fleet: FleetCase) -> None:
    add(fleet, Event.ROLLOUT_HALTED)
    rollout = fleet.start("0.2.1")
    assert waiting(fleet) == []
    fleet.run(lambda rows: halt_rollout(rows, rollout.rollout_id, "smoke", fleet.now_s, "ada"))
    [told] = waiting(fleet)
    assert (told["event"], told["rollout_id"], told["reason"], told["who"]) == (
        "rollout.halted",
        rollout.rollout_id,
        "smoke",
        "ada",
    )


def test_a_webhook_that_names_no_event_is_told_of_all(fleet: FleetCase) -> None:
    assert add(fleet).events == tuple(sorted(Event))


def test_an_event_is_put_once_for_each_webhook_however_often_it_is_announced(fleet: FleetCase) -> None:
    add(fleet, webhook_id="hook-1")
    add(fleet, webhook_id="hook-2")
    for _ in range(2):
        fleet.run(lambda rows: announce(rows, Event.INCIDENT_CLOSED, "it-1", {}, fleet.now_s))
    assert [told["id"] for told in waiting(fleet)] == ["it-1", "it-1"]


def test_an_event_whose_transaction_is_undone_is_told_to_nobody(fleet: FleetCase) -> None:
    add(fleet)

    def work(rows: Any) -> None:
        announce(rows, Event.INCIDENT_CLOSED, "it-1", {}, fleet.now_s)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fleet.run(work)
    assert waiting(fleet) == []


def test_a_removed_webhook_is_told_nothing_any_more_not_even_what_waits(fleet: FleetCase) -> None:
    add(fleet)
    fleet.start("0.2.1")
    assert waiting(fleet) != []
    fleet.run(lambda rows: remove_webhook(rows, "hook-1"))
    assert waiting(fleet) == []
    assert code_of(lambda: fleet.run(lambda rows: remove_webhook(rows, "hook-1"))) == "not-found-webhook"


@pytest.mark.parametrize(
    "url",
    [
        "http://ops.test/in",
        "https://",
        "https://user:word@ops.test/",
        "https://ops.test/a b",
        "https://ops.test/\n",
        "https://ops.test:0/",
        "https://ops.test:99999/",
        "https://[::1",
        "https://ops.test/" + "a" * 5000,
        "ftp://ops.test",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(fleet: FleetCase, url: str) -> None:
    assert code_of(lambda: add(fleet, url=url)) == "refused-webhook"


@pytest.mark.parametrize("rest", ["", "/", "/hidden", "/in?hidden=1", "?hidden", "#hidden"])
def test_an_address_is_told_without_what_may_be_a_secret_in_it(fleet: FleetCase, rest: str) -> None:
    webhook = add(fleet, url=f"https://ops.test:8443{rest}")
    assert without_path(webhook) == replace(webhook, url="https://ops.test:8443")


def test_a_receiver_can_check_the_signature_with_nothing_but_the_secret() -> None:
    said = signature("secret", b'{"id":"1"}', 1_700_000_000)
    at_s, _, signed = said.partition(", v1=")
    expected = hmac.new(b"secret", b'1700000000.{"id":"1"}', hashlib.sha256).hexdigest()
    assert (at_s, signed) == ("t=1700000000", expected)
    assert signature("secret", b'{"id":"2"}', 1_700_000_000) != said
    assert signature("other", b'{"id":"1"}', 1_700_000_000) != said
