from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fleet.fleet_case import FleetCase
from support import code_of
from surefoot.fleet.keys import active_ring, trust_key
from surefoot.fleet.model import Key, KeyState
from surefoot.signing.signers import FileSigner
from surefoot.trust.keys import KeyRing


def trust(fleet: FleetCase, signer: FileSigner, name: str = "ci") -> Key:
    return fleet.run(lambda rows: trust_key(rows, name, signer.public_key.der, fleet.now_s))


def ring(fleet: FleetCase) -> KeyRing:
    return fleet.run(active_ring)


def test_a_trusted_key_is_in_the_ring(fleet: FleetCase, signer: FileSigner) -> None:
    assert ring(fleet).keys == ()
    key = trust(fleet, signer)
    assert (key.key_id, key.state, key.added_at_s) == (signer.public_key.key_id, KeyState.ACTIVE, fleet.now_s)
    assert ring(fleet).keys == (signer.public_key,)


def test_trusting_a_key_again_changes_nothing(fleet: FleetCase, signer: FileSigner) -> None:
    first = trust(fleet, signer)
    fleet.now_s += 60
    assert trust(fleet, signer, "another name") == first
    assert fleet.run(lambda rows: rows.find(Key)) == [first]


def test_keys_are_in_the_ring_in_the_order_they_came(fleet: FleetCase, signer: FileSigner) -> None:
    other = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    trust(fleet, signer)
    trust(fleet, other)
    assert ring(fleet).keys == (signer.public_key, other.public_key)


@pytest.mark.parametrize("state", [KeyState.RETIRING, KeyState.REVOKED])
def test_only_active_keys_may_sign_new_releases(fleet: FleetCase, signer: FileSigner, state: KeyState) -> None:
    key = trust(fleet, signer)
    fleet.run(lambda rows: rows.put(replace(key, state=state)))
    assert ring(fleet).keys == ()


def test_a_revoked_key_is_never_trusted_again(fleet: FleetCase, signer: FileSigner) -> None:
    key = trust(fleet, signer)
    fleet.run(lambda rows: rows.put(replace(key, state=KeyState.REVOKED)))
    assert code_of(trust, fleet, signer) == "refused-key-revoked"
    assert fleet.run(lambda rows: rows.find(Key)) == [replace(key, state=KeyState.REVOKED)]


@pytest.mark.parametrize("change", [lambda der: der[:-1], lambda der: der[:-1] + bytes([der[-1] ^ 1]), lambda _: b""])
def test_what_is_no_key_is_refused(fleet: FleetCase, signer: FileSigner, change: Callable[[bytes], bytes]) -> None:
    der = change(signer.public_key.der)
    refused = code_of(lambda: fleet.run(lambda rows: trust_key(rows, "ci", der, fleet.now_s)))
    assert refused == "refused-key-format"
    assert fleet.run(lambda rows: rows.find(Key)) == []
