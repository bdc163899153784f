from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.fleet.access import Account, Role
from surefoot.fleet.audit import FIRST_PREVIOUS, KEPT_BACK, Break, Entry, plain, record, verify
from surefoot.fleet.model import Key, KeyState
from surefoot.sim.memory_store import MemoryStore
from surefoot.wire.errors import Misuse
from surefoot.wire.version import Version

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def log_of(count: int) -> list[Entry]:
    store = MemoryStore()
    for number in range(count):
        store.submit(
            lambda rows, number=number: record(  # type: ignore[misc]
                rows, "anna", "rollout.halt", f"rollout-{number}", {"state": "running"}, {"state": "halted"}, "smoke", 5
            )
        ).result()
    return store.read(lambda rows: rows.find(Entry))


def test_entries_are_numbered_from_one_and_each_seals_the_one_before() -> None:
    first, second, third = log_of(3)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert first.previous_sha256 == FIRST_PREVIOUS
    assert (second.previous_sha256, third.previous_sha256) == (first.sha256, second.sha256)
    assert verify([first, second, third]) is None


def test_an_empty_log_holds() -> None:
    assert verify([]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "bert"},
        {"action": "rollout.pause"},
        {"target": "rollout-9"},
        {"before": None},
        {"after": {"state": "running"}},
        {"reason": None},
        {"at_s": 6.0},
        {"sha256": "0" * 64},
        {"previous_sha256": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edited_entry_is_named(change: dict[str, Any]) -> None:
    log = log_of(4)
    log[1] = replace(log[1], **change)
    broken = verify(log)
    assert broken is not None and broken.number == 2


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_removed_entry_is_named(gone: int) -> None:
    log = log_of(4)
    del log[gone]
    assert verify(log) == Break(number=gone + 1, why=f"The entry is missing: entry {gone + 2} comes in its place.")


def test_a_removed_entry_shows_even_when_the_rest_is_numbered_anew() -> None:
    log = log_of(3)
    renumbered = [log[0], replace(log[2], number=2)]
    broken = verify(renumbered)
    assert broken is not None and broken.number == 2


def test_two_entries_that_changed_places_are_named() -> None:
    log = log_of(3)
    log[1], log[2] = log[2], log[1]
    broken = verify(log)
    assert broken is not None and broken.number == 2


def test_an_entry_is_undone_with_the_change_it_tells_of() -> None:
    store = MemoryStore()

    def work(rows: Any) -> None:
        record(rows, "anna", "key.trust", "k", None, None, None, 1)
        raise Misuse("misuse-audit", "on purpose")

    with pytest.raises(Misuse):
        store.submit(work).result()
    assert store.read(lambda rows: rows.find(Entry)) == []


def test_values_of_ours_become_plain_and_their_secrets_stay_out() -> None:
    account = Account(
        name="anna", role=Role.ADMIN, password_phc="$argon2id$…", subject=None, disabled=False, created_at_s=1.5
    )
    told = plain(account)
    assert told["role"] == "admin" and type(told["role"]) is str
    assert told["password_phc"] == KEPT_BACK
    key = Key(key_id="k", name="ci", public_key_xy=b"\x01\xff", state=KeyState.ACTIVE, added_at_s=1.5)
    assert plain(key) == {
        "key_id": "k", "name": "ci", "public_key_xy": "01ff", "state": "active", "added_at_s": 1.5
    }  # fmt: skip
    assert plain((Version(major=1, minor=2, patch=3), {Role.VIEWER})) == ["1.2.3", ["viewer"]]
    assert plain({"token_sha256": "ab", "nested": {"client_secret": "s"}}) == {
        "token_sha256": KEPT_BACK,
        "nested": {"client_secret": KEPT_BACK},
    }


def test_what_has_no_plain_form_is_a_programmers_mistake() -> None:
    with pytest.raises(Misuse) as caught:
        plain(object())
    assert caught.value.code == "misuse-audit"


@given(before=plain_json, after=plain_json, reason=st.none() | st.text())
def test_whatever_is_recorded_verifies(before: object, after: object, reason: str | None) -> None:
    store = MemoryStore()
    store.submit(lambda rows: record(rows, "anna", "a.b", "t", before, after, reason, 1)).result()
    assert verify(store.read(lambda rows: rows.find(Entry))) is None
