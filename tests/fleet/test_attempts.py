import pytest

from surefoot.fleet.access import Attempts
from surefoot.fleet.attempts import Limit, TooManyAttempts, forget, give_back, of_account, of_address, take
from surefoot.sim.memory_store import MemoryStore

LIMIT = Limit(count=3, window_s=60)


def tried(store: MemoryStore, subject: str = "account:a", now_s: float = 100) -> int | None:
    """Try once, and return for how long nothing more is taken, or None."""
    try:
        store.submit(lambda rows: take(rows, subject, LIMIT, now_s)).result()
    except TooManyAttempts as error:
        return error.retry_after_s
    return None


def test_so_many_attempts_are_taken_and_then_none_until_the_window_ends() -> None:
    store = MemoryStore()
    assert [tried(store, now_s=now_s) for now_s in (100, 110, 120, 121.5, 159.5)] == [None, None, None, 39, 1]
    assert tried(store, now_s=160) is None


def test_subjects_do_not_share_a_limit() -> None:
    store = MemoryStore()
    assert [tried(store) for _ in range(4)] == [None, None, None, 60]
    assert tried(store, "account:b") is None


def test_what_did_not_fail_does_not_count() -> None:
    store = MemoryStore()
    for _ in range(10):
        assert tried(store) is None
        store.submit(lambda rows: give_back(rows, "account:a")).result()


def test_what_is_forgotten_begins_anew() -> None:
    store = MemoryStore()
    assert [tried(store) for _ in range(4)][-1] == 60
    store.submit(lambda rows: forget(rows, "account:a")).result()
    assert tried(store) is None


def test_a_clock_that_stepped_back_locks_nobody_out() -> None:
    store = MemoryStore()
    assert [tried(store, now_s=1000) for _ in range(4)][-1] == 60
    assert tried(store, now_s=100) is None


def test_rows_whose_window_is_over_are_cleared_away() -> None:
    store = MemoryStore()
    for number in range(100):
        tried(store, f"address:{number}", now_s=100)
    for number in range(20):
        tried(store, f"later:{number}", now_s=200)
    assert len(store.read(lambda rows: rows.find(Attempts))) == 20


def test_a_name_is_not_kept_since_it_may_be_a_password() -> None:
    assert "hunter2" not in of_account("hunter2")
    assert of_account("anna") == of_account("anna") != of_account("bert")


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("10.0.0.1", "address:10.0.0.1"),
        ("2001:db8:1:2:aaaa::1", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "address:2001:db8:1:2::/64"),
        ("", "address:unknown"),
    ],
)
def test_an_address_counts_with_its_network(address: str, subject: str) -> None:
    assert of_address(address) == subject
