import asyncio
from typing import Literal

import pytest
from argon2 import PasswordHasher

from surefoot.server.operators.passwords import CHARS_MAX, CHARS_MIN, WAITING_MAX, Passwords
from surefoot.wire.errors import Interrupted, Refused

PASSWORD = "correct horse battery"


def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own() -> None:
    passwords = Passwords(cheap=True)
    first, second = asyncio.run(passwords.phc_of(PASSWORD)), asyncio.run(passwords.phc_of(PASSWORD))
    assert first.startswith("$argon2id$") and first != second
    assert PASSWORD not in first
    assert asyncio.run(passwords.matches(first, PASSWORD))
    assert not asyncio.run(passwords.matches(first, PASSWORD + "!"))


class CountingHasher(PasswordHasher):
    """Counts what it compared with."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.compared: list[object] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name
        self.compared.append(hash)
        return super().verify(hash, password)


def test_without_anything_to_compare_with_the_same_work_is_done() -> None:
    passwords, hasher = Passwords(cheap=True), CountingHasher()
    passwords._hasher = hasher
    assert not asyncio.run(passwords.matches(None, PASSWORD))
    assert not asyncio.run(passwords.matches(None, "nobody's password"))
    assert [str(phc).startswith("$argon2id$v=19$m=8,t=1,p=1$") for phc in hasher.compared] == [True, True]


def test_accents_typed_in_either_way_are_the_same_password() -> None:
    passwords = Passwords(cheap=True)
    composed = asyncio.run(passwords.phc_of("les \u00e9l\u00e8ves de caf\u00e9"))
    assert asyncio.run(passwords.matches(composed, "les e\u0301le\u0300ves de cafe\u0301"))


@pytest.mark.parametrize("length", [0, CHARS_MIN - 1, CHARS_MAX + 1])
def test_a_password_too_short_or_too_long_is_refused(length: int) -> None:
    with pytest.raises(Refused) as caught:
        asyncio.run(Passwords(cheap=True).phc_of("x" * length))
    assert caught.value.code == "refused-password"


def test_usual_costs_are_those_recommended_and_older_ones_are_noticed() -> None:
    cheap, usual = Passwords(cheap=True), Passwords()
    phc = asyncio.run(cheap.phc_of(PASSWORD))
    assert usual.outdated(phc) and not cheap.outdated(phc)
    assert asyncio.run(usual.phc_of(PASSWORD)).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_who_comes_while_too_many_wait_is_sent_away() -> None:
    passwords = Passwords(cheap=True)

    async def crowd() -> list[object]:
        asked = [passwords.phc_of(PASSWORD) for _ in range(WAITING_MAX + 3)]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    sent_away = [answer for answer in asyncio.run(crowd()) if isinstance(answer, Interrupted)]
    assert [error.code for error in sent_away] == ["interrupted-passwords"] * 3
    assert asyncio.run(passwords.phc_of(PASSWORD))
