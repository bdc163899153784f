"""Signatures over the slot's bytes alone, in the form that devices made for AWS IoT check."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from fleet.fleet_case import KEY_ID, FleetCase, digest_of
from surefoot.fleet.image_signatures import ImageSignature, keep_signature, to_der
from surefoot.fleet.model import Key, KeyState
from surefoot.signing.signers import FileSigner
from surefoot.wire.errors import Refused


def trust(fleet: FleetCase, signer: FileSigner) -> None:
    xy = signer.public_key.xy
    key = Key(key_id=KEY_ID, name="ci", public_key_xy=xy, state=KeyState.ACTIVE, added_at_s=0.0)
    fleet.run(lambda rows: rows.put(key))


def test_a_kept_signature_verifies_as_any_library_would(fleet: FleetCase, signer: FileSigner) -> None:
    release = fleet.release("0.2.1")
    trust(fleet, signer)
    public = signer.public_key
    kept = fleet.run(lambda rows: keep_signature(rows, release, signer.sign(b"0.2.1")))
    assert release.digest == digest_of("0.2.1")
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(public.xy[:32], "big"), int.from_bytes(public.xy[32:], "big"), ec.SECP256R1()
    )
    numbers.public_key().verify(kept.der, b"0.2.1", ec.ECDSA(hashes.SHA256()))
    assert fleet.run(lambda rows: rows.get(ImageSignature, release.release_id)) == kept


def test_a_signature_by_nobody_the_fleet_trusts_is_refused(fleet: FleetCase, signer: FileSigner) -> None:
    release = fleet.release("0.2.1")
    trust(fleet, FileSigner(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(Refused) as caught:
        fleet.run(lambda rows: keep_signature(rows, release, signer.sign(b"0.2.1")))
    assert caught.value.code == "refused-image-signature"
    assert fleet.run(lambda rows: rows.get(ImageSignature, release.release_id)) is None


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1))
def test_der_says_the_same_numbers(r: int, s: int) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    assert to_der(r.to_bytes(32, "big") + s.to_bytes(32, "big")) == encode_dss_signature(r, s)
