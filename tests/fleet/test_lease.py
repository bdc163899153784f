"""One leads at a time, and who does not lead any more writes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import EVERY, MAKERS
from support import code_of
from surefoot.fleet.lease import LEADER, LEASE_S, Lease, Sight, hold, is_free, let_go, look, take
from surefoot.fleet.ports import Rows, Store
from surefoot.sim.memory_store import MemoryStore
from surefoot.store.sql_store import SqlStore

NEVER_SEEN = Sight(lease=None, since_s=0.0)


@pytest.fixture(params=[*EVERY, "memory"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = MemoryStore() if request.param == "memory" else SqlStore(MAKERS[request.param](tmp_path))
    yield store
    store.close()


def taken(store: Store, sight: Sight, holder: str) -> Lease | None:
    return store.submit(lambda rows: take(rows, sight, holder)).result()


def lead(store: Store, holder: str, sight: Sight = NEVER_SEEN) -> Lease:
    lease = taken(store, sight, holder)
    assert lease is not None
    return lease


def found(store: Store) -> Lease | None:
    return store.read(lambda rows: rows.get(Lease, LEADER))


def hold_now(store: Store, lease: Lease) -> None:
    store.submit(lambda rows: hold(rows, lease)).result()


def test_the_first_who_comes_leads(any_store: Store) -> None:
    assert lead(any_store, "a").epoch == 1


def test_of_two_who_saw_the_same_one_leads(any_store: Store) -> None:
    assert taken(any_store, NEVER_SEEN, "a") is not None
    assert taken(any_store, NEVER_SEEN, "b") is None


def test_a_lease_that_is_renewed_is_never_free_however_long_one_waits(any_store: Store) -> None:
    lease, sight = lead(any_store, "a"), NEVER_SEEN
    for second in range(1, 100):
        hold_now(any_store, lease)
        sight = look(sight, found(any_store), float(second))
        assert not is_free(sight, float(second))


def test_a_lease_that_does_not_change_for_its_time_is_free_by_the_waiting_ones_own_clock(any_store: Store) -> None:
    lead(any_store, "a")
    # The waiting process's clock says anything: nothing is compared with the leader's.
    for began_s in (0.0, 5e8, 17.25):
        sight = look(NEVER_SEEN, found(any_store), began_s)
        assert not is_free(look(sight, found(any_store), began_s + LEASE_S - 0.01), began_s + LEASE_S - 0.01)
        assert is_free(look(sight, found(any_store), began_s + LEASE_S), began_s + LEASE_S)


def test_a_lease_renewed_between_the_last_look_and_the_taking_is_not_taken(any_store: Store) -> None:
    lease = lead(any_store, "a")
    sight = look(NEVER_SEEN, found(any_store), 0.0)
    hold_now(any_store, lease)
    assert taken(any_store, sight, "b") is None


def test_each_new_leader_has_a_higher_epoch_and_the_old_one_writes_nothing_more(any_store: Store) -> None:
    old = lead(any_store, "a")
    new = lead(any_store, "b", look(NEVER_SEEN, found(any_store), 0.0))
    assert new.epoch == old.epoch + 1

    def late_write(rows: Rows) -> None:
        hold(rows, old)
        rows.put(Lease(name="written too late", holder="", epoch=0, beat=0))

    assert code_of(lambda: any_store.submit(late_write).result()) == "interrupted-lease"
    assert any_store.read(lambda rows: rows.get(Lease, "written too late")) is None
    hold_now(any_store, new)


def test_the_same_process_under_an_old_epoch_is_kept_out_too(any_store: Store) -> None:
    old = lead(any_store, "a")
    lead(any_store, "a", look(NEVER_SEEN, found(any_store), 0.0))
    assert code_of(hold_now, any_store, old) == "interrupted-lease"


def test_a_lease_that_was_let_go_is_free_at_once_and_its_epoch_is_not_used_again(any_store: Store) -> None:
    lease = lead(any_store, "a")
    any_store.submit(lambda rows: let_go(rows, lease)).result()
    sight = look(NEVER_SEEN, found(any_store), 0.0)
    assert is_free(sight, 0.0)
    assert code_of(hold_now, any_store, lease) == "interrupted-lease"
    assert lead(any_store, "b", sight).epoch == lease.epoch + 1
