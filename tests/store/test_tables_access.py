"""Accounts, tokens, sessions and audit entries, held against every store."""

from dataclasses import replace

import pytest

from surefoot.fleet.access import Account, ApiToken, Attempts, Permission, Role, Session, SignIn
from surefoot.fleet.audit import Entry, record, verify
from surefoot.fleet.ports import Store
from surefoot.store.sql_store import SqlStore

ACCOUNT = Account(name="anna", role=Role.ADMIN, password_phc="$argon2id$", subject=None, disabled=False, created_at_s=1)
VALUES = (
    replace(ACCOUNT, name="bert", role=Role.VIEWER, password_phc=None, subject="https://idp bert", disabled=True),
    ApiToken(
        token_sha256="aa" * 32,
        token_id="token-1",
        account="anna",
        label="build server \N{SNOWMAN}",
        scopes=(Permission.PUBLISH, Permission.READ),
        created_at_s=1.5,
        expires_at_s=2.5,
        revoked_at_s=None,
        used_at_s=3.25,
    ),
    Session(cookie_sha256="bb" * 32, account="anna", started_at_s=1.5, used_at_s=2.5),
    Attempts(subject="address:10.0.0.1", count=2**40, since_s=1.5),
    SignIn(state_sha256="cc" * 32, browser_sha256="dd" * 32, nonce="n", code_verifier="v", begun_at_s=1.5),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was_stored(store: Store, value: object) -> None:
    store.submit(lambda rows: rows.put(ACCOUNT)).result()
    store.submit(lambda rows: rows.put(value)).result()
    assert value in store.read(lambda rows: rows.find(type(value)))


def test_an_audit_entry_survives_storing_with_its_seal(store: Store) -> None:
    told = {"ratio": 0.1, "large": 2**70, "text": "\x00\ud800\u2028", "none": None, "list": [1.0, 1, True]}
    for number in range(3):
        store.submit(
            lambda rows, number=number: record(  # type: ignore[misc]
                rows, "anna", "plan.set", str(number), None, told, "weil\x00", 1
            )
        ).result()
    entries = store.read(lambda rows: rows.find(Entry))
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert entries[2].after == told and entries[2].reason == "weil\x00"
    assert verify(entries) is None


def test_entries_of_one_transaction_follow_each_other(store: Store) -> None:
    def work(rows: object) -> None:
        for action in ("a.b", "c.d"):
            record(rows, "anna", action, "t", None, None, None, 1)  # type: ignore[arg-type]

    store.submit(work).result()
    assert verify(store.read(lambda rows: rows.find(Entry))) is None


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_list_goes_on_behind_a_key(store: Store, newest_first: bool) -> None:
    for number in range(5):
        store.submit(
            lambda rows, number=number: record(  # type: ignore[misc]
                rows, "anna" if number % 2 else "bert", "a.b", "t", None, None, None, 1
            )
        ).result()
    order = [5, 4, 3, 2, 1] if newest_first else [1, 2, 3, 4, 5]
    behind = store.read(lambda rows: rows.find(Entry, newest_first=newest_first, after=order[1], limit=2))
    assert [entry.number for entry in behind] == order[2:4]
    of_bert = store.read(lambda rows: rows.find(Entry, newest_first=newest_first, after=order[0], actor="bert"))
    assert [entry.number for entry in of_bert] == [number for number in order[1:] if number % 2]
    assert store.read(lambda rows: rows.find(Entry, after=99)) == []


def test_two_processes_that_append_at_once_make_one_chain(url: str) -> None:
    stores = [SqlStore(url), SqlStore(url)]
    futures = [
        stores[number % 2].submit(
            lambda rows, number=number: record(  # type: ignore[misc]
                rows, "anna", "a.b", str(number), None, None, None, 1
            )
        )
        for number in range(40)
    ]
    for future in futures:
        future.result()
    entries = stores[0].read(lambda rows: rows.find(Entry))
    for store in stores:
        store.close()
    assert len(entries) == 40 and {entry.target for entry in entries} == {str(number) for number in range(40)}
    assert verify(sorted(entries, key=lambda entry: entry.number)) is None
    assert [entry.number for entry in entries] == list(range(1, 41))
