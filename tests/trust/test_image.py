import binascii
import hashlib

from support import code_of
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.version import Version

# RFC 6979 section A.2.5: the key signed the firmware b"sample".
KEY = PublicKey.from_xy(
    binascii.unhexlify(
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    )
)
OTHER = PublicKey.from_xy(
    binascii.unhexlify(
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
)
SIGNATURE = binascii.unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)


def digest_of(firmware: bytes) -> str:
    return binascii.hexlify(hashlib.sha256(firmware).digest()).decode()


DIGEST = digest_of(b"sample")
HEADER = ImageHeader(version=Version(major=1, minor=0, patch=0), size_bytes=6, digest=DIGEST, signature=SIGNATURE)


def test_an_image_signed_by_a_trusted_key_is_believed() -> None:
    assert check_signed_image(HEADER, DIGEST, KeyRing(keys=(KEY,))) == KEY.key_id
    assert check_signed_image(HEADER, DIGEST, KeyRing(keys=(OTHER, KEY))) == KEY.key_id


def test_firmware_other_than_the_header_names_is_refused() -> None:
    assert code_of(check_signed_image, HEADER, digest_of(b"simple"), KeyRing(keys=(KEY,))) == "refused-digest"


def test_a_header_made_to_fit_other_firmware_is_refused() -> None:
    forged = HEADER.replace(digest=digest_of(b"simple"))
    assert code_of(check_signed_image, forged, digest_of(b"simple"), KeyRing(keys=(KEY,))) == "refused-signature"


def test_an_image_signed_by_no_trusted_key_is_refused() -> None:
    assert code_of(check_signed_image, HEADER, DIGEST, KeyRing(keys=(OTHER,))) == "refused-signature"
    assert code_of(check_signed_image, HEADER, DIGEST, KeyRing(keys=())) == "refused-signature"
    unsigned = HEADER.replace(signature=bytes(64))
    assert code_of(check_signed_image, unsigned, DIGEST, KeyRing(keys=(KEY,))) == "refused-signature"


def test_the_signature_does_not_cover_the_version_so_nothing_may_be_decided_from_it() -> None:
    relabelled = HEADER.replace(version=Version(major=9, minor=9, patch=9))
    assert check_signed_image(relabelled, DIGEST, KeyRing(keys=(KEY,))) == KEY.key_id


def test_a_native_module_may_do_the_verifying() -> None:
    ring = KeyRing(keys=(KEY,))
    assert code_of(check_signed_image, HEADER, DIGEST, ring, lambda xy, digest, signature: False) == "refused-signature"
