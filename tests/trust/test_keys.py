import binascii
import hashlib

from support import code_of
from surefoot.trust.keys import DER_BYTES, KeyRing, PublicKey

# RFC 6979 section A.2.5: a key, and its signature with SHA-256 over "sample".
XY = binascii.unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
DER = binascii.unhexlify("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + XY
DIGEST = hashlib.sha256(b"sample").digest()
SIGNATURE = binascii.unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
KEY = PublicKey.from_xy(XY)
# The base point: the key whose private half is 1.
OTHER = PublicKey.from_xy(
    binascii.unhexlify(
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
)


def test_a_key_is_the_same_from_its_der_and_from_its_64_bytes() -> None:
    assert PublicKey.from_der(DER) == KEY
    assert KEY.xy == XY and KEY.der == DER
    assert len(DER) == DER_BYTES == 91


def test_a_key_id_is_the_sha_256_of_the_der() -> None:
    assert KEY.key_id == binascii.hexlify(hashlib.sha256(DER).digest()).decode()
    assert len(KEY.key_id) == 64
    assert KEY.short_id == KEY.key_id[:16]
    assert KEY.key_id != OTHER.key_id


def test_every_other_encoding_of_a_key_is_refused() -> None:
    compressed = binascii.unhexlify("3039301306072a8648ce3d020106082a8648ce3d030107032200") + b"\x03" + XY[:32]
    hybrid = DER[:26] + b"\x07" + XY
    for der in (b"", DER[:-1], DER + b"\x00", compressed, hybrid, XY, b"\x04" + XY, b"\x31" + DER[1:]):
        assert code_of(PublicKey.from_der, der) == "refused-key-format"


def test_a_key_off_the_curve_is_refused() -> None:
    for xy in (bytes(64), XY[:63], XY + b"\x00", XY[:63] + b"\x98", b"\xff" * 64):
        assert code_of(PublicKey.from_xy, xy) == "refused-key-format"
    assert code_of(PublicKey.from_der, DER[:-1] + b"\x98") == "refused-key-format"


def test_a_ring_names_the_key_that_signed() -> None:
    assert KeyRing(keys=(KEY,)).verify(DIGEST, SIGNATURE) == KEY.key_id
    assert KeyRing(keys=(OTHER, KEY)).verify(DIGEST, SIGNATURE) == KEY.key_id


def test_a_ring_without_the_key_believes_nothing() -> None:
    assert KeyRing(keys=(OTHER,)).verify(DIGEST, SIGNATURE) is None
    assert KeyRing(keys=()).verify(DIGEST, SIGNATURE) is None
    assert KeyRing(keys=(KEY,)).verify(hashlib.sha256(b"other").digest(), SIGNATURE) is None


def test_a_key_is_found_by_its_whole_id_only() -> None:
    ring = KeyRing(keys=(OTHER, KEY))
    assert ring.key_ids == (OTHER.key_id, KEY.key_id)
    assert ring.find(KEY.key_id) == KEY
    assert ring.find(KEY.short_id) is None
    assert ring.find("") is None


def test_a_native_module_may_do_the_verifying() -> None:
    asked = []

    def native(xy: bytes, digest: bytes, signature: bytes) -> bool:
        asked.append((xy, digest, signature))
        return xy == XY

    assert KeyRing(keys=(OTHER, KEY)).verify(DIGEST, bytes(64), native) == KEY.key_id
    assert asked == [(OTHER.xy, DIGEST, bytes(64)), (XY, DIGEST, bytes(64))]
