"""Our verification against the one in `cryptography`."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.trust import p256
from surefoot.trust.keys import KeyRing, PublicKey

PREHASHED = ec.ECDSA(utils.Prehashed(hashes.SHA256()))

private_keys = st.one_of(st.integers(1, p256.N - 1), st.sampled_from([1, 2, 3, p256.N - 2, p256.N - 1])).map(
    lambda scalar: ec.derive_private_key(scalar, ec.SECP256R1())
)
digests = st.one_of(st.binary(min_size=32, max_size=32), st.sampled_from([bytes(32), b"\xff" * 32]))
halves = st.one_of(
    st.integers(0, (1 << 256) - 1),
    st.sampled_from([0, 1, 2, p256.N - 1, p256.N, p256.N + 1, p256.P - p256.N, p256.P, p256.GX, (1 << 256) - 1]),
)


def xy_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def peer_verifies(key: ec.EllipticCurvePrivateKey, digest: bytes, r: int, s: int) -> bool:
    try:
        key.public_key().verify(utils.encode_dss_signature(r, s), digest, PREHASHED)
    except InvalidSignature:
        return False
    return True


@settings(deadline=None)
@given(private_keys, digests, st.integers(0, 511))
def test_what_the_peer_signs_verifies_until_a_bit_changes(
    key: ec.EllipticCurvePrivateKey, digest: bytes, bit: int
) -> None:
    signature = raw(*utils.decode_dss_signature(key.sign(digest, PREHASHED)))
    assert p256.verify(xy_of(key), digest, signature)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << (bit % 8)
    assert not p256.verify(xy_of(key), digest, bytes(changed))


@settings(deadline=None)
@given(private_keys, digests, halves, halves)
def test_any_two_numbers_are_judged_as_the_peer_judges_them(
    key: ec.EllipticCurvePrivateKey, digest: bytes, r: int, s: int
) -> None:
    assert p256.verify(xy_of(key), digest, raw(r, s)) == peer_verifies(key, digest, r, s)


@settings(deadline=None)
@given(private_keys, digests, st.integers(1, p256.N - 1), st.integers(1, p256.N - 1))
def test_signatures_made_for_a_chosen_nonce_are_judged_as_the_peer_judges_them(
    key: ec.EllipticCurvePrivateKey, digest: bytes, nonce: int, tweak: int
) -> None:
    """Chosen nonces reach the scalars, small and large, that random signatures never do."""
    for k in (nonce, nonce % 7 + 1, p256.N - nonce % 7 - 1):
        r = ec.derive_private_key(k, ec.SECP256R1()).public_key().public_numbers().x % p256.N
        s = pow(k, -1, p256.N) * (int.from_bytes(digest, "big") + r * key.private_numbers().private_value) % p256.N
        assert p256.verify(xy_of(key), digest, raw(r, s)) == peer_verifies(key, digest, r, s)
        assert p256.verify(xy_of(key), digest, raw(r, tweak)) == peer_verifies(key, digest, r, tweak)


@settings(deadline=None)
@given(st.binary(max_size=65), digests, st.binary(max_size=65))
def test_arbitrary_bytes_are_no_signature_and_nothing_worse(xy: bytes, digest: bytes, signature: bytes) -> None:
    assert not p256.verify(xy, digest, signature)


@settings(deadline=None)
@given(private_keys, private_keys, st.binary())
def test_a_ring_names_the_signer(
    key: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePrivateKey, firmware: bytes
) -> None:
    # A real digest: of the number 0, each signature is also one by the negated key.
    digest = hashlib.sha256(firmware).digest()
    signer, bystander = PublicKey.from_xy(xy_of(key)), PublicKey.from_xy(xy_of(other))
    signature = raw(*utils.decode_dss_signature(key.sign(digest, PREHASHED)))
    assert KeyRing(keys=(bystander, signer)).verify(digest, signature) == signer.key_id
