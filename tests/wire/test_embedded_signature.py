import binascii

from support import code_of
from surefoot.wire.embedded_signature import decode_der, encode_der

SMALL = bytes(31) + b"\1" + bytes(30) + b"\x7f\xff"
# RFC 6979 section A.2.5, SHA-256 of "sample"; both numbers have their highest bit set.
LARGE = binascii.unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)


def test_a_signature_survives_der() -> None:
    for signature in (SMALL, LARGE, bytes(64), b"\x80" + bytes(63), b"\xff" * 64):
        assert decode_der(encode_der(signature)) == signature


def test_der_has_the_shortest_positive_numbers() -> None:
    assert encode_der(SMALL) == binascii.unhexlify("3007" + "020101" + "02027fff")
    assert encode_der(LARGE)[:5] == binascii.unhexlify("3046022100")


def test_zeros_behind_a_signature_do_not_matter_and_anything_else_does() -> None:
    assert decode_der(encode_der(LARGE) + bytes(3)) == LARGE
    assert code_of(decode_der, encode_der(LARGE) + b"\1") == "refused-image-format"


def test_what_is_no_p256_signature_is_refused() -> None:
    whole = encode_der(LARGE)
    for length in range(len(whole)):
        assert code_of(decode_der, whole[:length]) == "refused-image-format", length
    for bad in (
        "3000",
        "30060201010201",
        "3006020101020181",  # negative
        "30060201010301ff",  # not a number
        "3005020002010100",  # an empty number
        "30810602010102010100",  # a length in two bytes
        "3009020101020101" + "020101",  # three numbers
        "3026" + "0221" + "01" + "00" * 32 + "020101",  # more than 256 bits
    ):
        assert code_of(decode_der, binascii.unhexlify(bad)) == "refused-image-format", bad
