"""Edge cases of ECDSA verification. Where a case has constants, plain affine arithmetic written apart made them."""

import binascii
import hashlib

from support import code_of
from surefoot.trust.p256 import GX, GY, N, P, is_on_curve, verify

# RFC 6979 section A.2.5: key and signatures with SHA-256.
KEY = binascii.unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SAMPLE = hashlib.sha256(b"sample").digest()
SAMPLE_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
SAMPLE_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
TEST_R = 0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367
TEST_S = 0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def pair(first: int, second: int) -> bytes:
    return word(first) + word(second)


# The keys whose private halves are 1 and n - 1. With the nonce 1 the signature needs no curve arithmetic:
# r is the base point's x coordinate, and s = e + r * d.
ONE = pair(GX, GY)
MINUS_ONE = pair(GX, P - GY)


def signed_by_one(e: int) -> bytes:
    return pair(GX % N, (e + GX) % N)


def signed_by_minus_one(e: int) -> bytes:
    return pair(GX % N, (e - GX) % N)


def test_published_signatures_verify() -> None:
    assert verify(KEY, SAMPLE, pair(SAMPLE_R, SAMPLE_S))
    assert verify(KEY, hashlib.sha256(b"test").digest(), pair(TEST_R, TEST_S))


def test_a_signature_is_for_one_digest_and_one_key() -> None:
    assert not verify(KEY, hashlib.sha256(b"test").digest(), pair(SAMPLE_R, SAMPLE_S))
    assert not verify(ONE, SAMPLE, pair(SAMPLE_R, SAMPLE_S))
    assert not verify(KEY[:32] + word(P - int.from_bytes(KEY[32:], "big")), SAMPLE, pair(SAMPLE_R, SAMPLE_S))


def test_every_single_changed_bit_is_noticed() -> None:
    signature = pair(SAMPLE_R, SAMPLE_S)
    for bit in range(0, 512, 37):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << (bit % 8)
        assert not verify(KEY, SAMPLE, bytes(changed)), bit
    for bit in range(0, 256, 37):
        changed = bytearray(SAMPLE)
        changed[bit // 8] ^= 1 << (bit % 8)
        assert not verify(KEY, bytes(changed), signature), bit


def test_r_and_s_must_lie_between_1_and_n_minus_1() -> None:
    for outside in (0, N, N + 1, P, (1 << 256) - 1):
        assert not verify(KEY, SAMPLE, pair(outside, SAMPLE_S))
        assert not verify(KEY, SAMPLE, pair(SAMPLE_R, outside))
        assert not verify(KEY, SAMPLE, pair(outside, outside))
    assert not verify(KEY, bytes(32), pair(0, 0))


def test_extreme_r_and_s_in_range_are_judged_and_not_tripped_over() -> None:
    extremes = (1, 2, N - 2, N - 1)
    for r in extremes:
        for s in extremes:
            assert not verify(KEY, SAMPLE, pair(r, s))


def test_s_plus_n_is_not_another_spelling_of_s() -> None:
    signature = signed_by_one(N - GX % N + 5)
    assert signature[32:] == word(5)
    assert verify(ONE, word(N - GX % N + 5), signature)
    assert not verify(ONE, word(N - GX % N + 5), signature[:32] + word(N + 5))


def test_the_negated_s_verifies_too_as_ecdsa_has_it() -> None:
    assert verify(KEY, SAMPLE, pair(SAMPLE_R, N - SAMPLE_S))


def test_halves_in_the_wrong_order_do_not_verify() -> None:
    assert not verify(KEY, SAMPLE, pair(SAMPLE_S, SAMPLE_R))
    assert not verify(KEY[32:] + KEY[:32], SAMPLE, pair(SAMPLE_R, SAMPLE_S))


def test_digests_of_zero_and_beyond_n_are_numbers_like_others() -> None:
    for e in (0, 1, N - 1, N, N + 1, (1 << 256) - 1):
        assert verify(ONE, word(e), signed_by_one(e)), e
        assert verify(MINUS_ONE, word(e), signed_by_minus_one(e)), e
        assert not verify(ONE, word(e ^ 2), signed_by_one(e)), e


def test_the_key_may_be_the_base_point_and_both_products_the_same_point() -> None:
    # e == r makes both scalars equal, so every addition meets the point it already holds.
    assert verify(ONE, word(GX % N), signed_by_one(GX % N))


def test_products_that_cancel_to_infinity_do_not_verify() -> None:
    r = 0x1234567890ABCDEF
    assert not verify(ONE, word(N - r), pair(r, 1))
    assert not verify(ONE, word(N - r), pair(r, SAMPLE_S))
    assert not verify(MINUS_ONE, word(r), pair(r, SAMPLE_S))


# The nonce's point has the x coordinate n + 3.
LARGE_X_KEY = binascii.unhexlify(
    "56474e2190dcc4e6211d0a619d3acb1d6c86301dd9d86ade152b78cc67e7d783"
    "440bccd34726c98bc31ccd1e2aa958bc8dc9e2fbf810d1d195e867f7cb515443"
)
# The nonce's point has the x coordinate 5, and r + n is 5 modulo p, though it is not below p.
WRAPPED_R = 0x4319055358E8617B0C46353D039CDAB3
WRAPPED_KEY = binascii.unhexlify(
    "f220b3c8a2fd8c2b0b5d41e9267442b91f427974fb4d8f647215d8110aa7cc2f"
    "2f9689c40de73242c3889037a2cffd68958c3febd99615e8eb15dbc11a521472"
)
EDGE = hashlib.sha256(b"edge").digest()
EDGE_S = 0x043A718774C572BD8A25ADBEB1BFCD5C0256AE11CECF9F9C3F925D0E52BEAF89


def test_an_x_coordinate_beyond_n_is_reduced() -> None:
    assert verify(LARGE_X_KEY, EDGE, pair(3, EDGE_S))
    assert not verify(LARGE_X_KEY, EDGE, pair(N + 3, EDGE_S))


def test_an_r_that_meets_the_x_coordinate_only_by_wrapping_around_p_does_not_verify() -> None:
    assert (WRAPPED_R + N) % P == 5 and WRAPPED_R + N >= P
    assert not verify(WRAPPED_KEY, EDGE, pair(WRAPPED_R, EDGE_S))


def test_keys_that_are_no_point_of_the_curve_verify_nothing() -> None:
    off_curve = (
        bytes(64),
        pair(GX, GY + 1),
        pair(P, GY),
        b"\xff" * 64,
        ONE[:63],
        ONE + b"\x00",
        b"\x04" + ONE,
        b"",
    )
    for xy in off_curve:
        assert not is_on_curve(xy)
        assert not verify(xy, SAMPLE, signed_by_one(int.from_bytes(SAMPLE, "big")))


def test_a_point_of_order_two_on_another_curve_is_no_key_that_anyone_could_sign_for() -> None:
    # Twice (5, 0) is infinity. With r / s == 2 only e / s == 1 times the base point would be left, whose x is r.
    s = GX * pow(2, N - 2, N) % N
    assert not verify(pair(5, 0), word(s), pair(GX % N, s))


def test_points_of_the_curve_are_recognised() -> None:
    for xy in (ONE, MINUS_ONE, KEY, LARGE_X_KEY, WRAPPED_KEY):
        assert is_on_curve(xy)


def test_the_coordinates_of_a_point_are_reduced() -> None:
    # (5, y) is on the curve, and so would (5 + p, y) be if coordinates were taken modulo p.
    y = 0x459243B9AA581806FE913BCE99817ADE11CA503C64D9A3C533415C083248FBCC
    assert is_on_curve(pair(5, y))
    assert not is_on_curve(pair(5 + P, y))


def test_signatures_of_other_lengths_do_not_verify() -> None:
    signature = pair(SAMPLE_R, SAMPLE_S)
    for other in (b"", signature[:63], signature + b"\x00", b"\x00" + signature):
        assert not verify(KEY, SAMPLE, other)


def test_a_digest_of_another_length_is_a_programmers_mistake() -> None:
    for digest in (b"", SAMPLE[:31], SAMPLE + b"\x00"):
        assert code_of(verify, KEY, digest, pair(SAMPLE_R, SAMPLE_S)) == "misuse-digest"
