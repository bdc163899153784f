"""What is to be sent stays until it was, comes due later each time, and ends as a dead letter that somebody sees."""

from dataclasses import replace

import pytest

from fleet.fleet_case import FleetCase
from support import code_of
from surefoot.fleet.outbox import (
    ATTEMPTS_MAX,
    FIRST_RETRY_S,
    RETRY_S_MAX,
    OutboxEntry,
    OutboxKind,
    OutboxState,
    due,
    enqueue,
    note_failed,
    note_sent,
    retry,
)

LIMIT = 100


def put(fleet: FleetCase, entry_id: str = "e-1", body: str = "{}") -> OutboxEntry:
    fleet.run(lambda rows: enqueue(rows, entry_id, OutboxKind.WEBHOOK, "hook", body, fleet.now_s))
    return stored(fleet, entry_id)


def stored(fleet: FleetCase, entry_id: str = "e-1") -> OutboxEntry:
    found = fleet.run(lambda rows: rows.get(OutboxEntry, entry_id))
    assert found is not None
    return found


def fail(fleet: FleetCase, chance: float = 0.0, entry_id: str = "e-1") -> OutboxEntry:
    entry = stored(fleet, entry_id)
    fleet.run(lambda rows: note_failed(rows, entry, "it did not answer", chance, fleet.now_s))
    return stored(fleet, entry_id)


def due_ids(fleet: FleetCase) -> list[str]:
    return fleet.run(lambda rows: [entry.entry_id for entry in due(rows, fleet.now_s, LIMIT)])


def test_what_was_put_is_due_at_once_and_gone_when_it_was_sent(fleet: FleetCase) -> None:
    entry = put(fleet)
    put(fleet, "e-2")
    assert due_ids(fleet) == ["e-1", "e-2"]
    fleet.run(lambda rows: note_sent(rows, entry))
    assert due_ids(fleet) == ["e-2"]


def test_the_same_id_again_changes_nothing(fleet: FleetCase) -> None:
    put(fleet, body="first")
    failed = fail(fleet)
    assert put(fleet, body="second") == failed


def test_a_failed_entry_waits_twice_as_long_each_time_up_to_a_limit(fleet: FleetCase) -> None:
    put(fleet)
    pauses_s = [fail(fleet, chance=0.999999).due_at_s - fleet.now_s for _ in range(ATTEMPTS_MAX - 1)]
    expected_s = [min(FIRST_RETRY_S * 2**number, RETRY_S_MAX) for number in range(ATTEMPTS_MAX - 1)]
    assert pauses_s == pytest.approx(expected_s, rel=1e-3)
    assert due_ids(fleet) == []
    fleet.now_s += RETRY_S_MAX
    assert due_ids(fleet) == ["e-1"]


def test_chance_spreads_the_retries_over_half_the_pause(fleet: FleetCase) -> None:
    put(fleet)
    assert fail(fleet, chance=0.0).due_at_s - fleet.now_s == FIRST_RETRY_S / 2


def test_what_could_not_be_sent_for_long_is_a_dead_letter_until_somebody_retries_it(fleet: FleetCase) -> None:
    put(fleet)
    for _ in range(ATTEMPTS_MAX):
        fail(fleet)
    dead = stored(fleet)
    assert (dead.state, dead.attempts, dead.last_error) == (OutboxState.DEAD, ATTEMPTS_MAX, "it did not answer")
    fleet.now_s += 100 * RETRY_S_MAX
    assert due_ids(fleet) == []
    fleet.run(lambda rows: retry(rows, "e-1", fleet.now_s))
    assert due_ids(fleet) == ["e-1"]
    assert code_of(lambda: fleet.run(lambda rows: retry(rows, "e-9", fleet.now_s))) == "not-found-outbox-entry"


def test_a_clock_set_back_by_a_year_holds_no_entry_for_a_year(fleet: FleetCase) -> None:
    put(fleet)
    fail(fleet)
    fleet.now_s -= 365 * 86400
    assert due_ids(fleet) == ["e-1"]


def test_what_was_removed_meanwhile_does_not_come_back_by_failing(fleet: FleetCase) -> None:
    entry = put(fleet)
    fleet.run(lambda rows: note_sent(rows, entry))
    fleet.run(lambda rows: note_failed(rows, replace(entry, attempts=3), "late", 0.0, fleet.now_s))
    assert due_ids(fleet) == []
