"""ECDSA signature verification on the curve P-256, in plain integers.

FIPS 186-5 section 6.4.2 (equally SEC 1 section 4.1.4) on the curve of NIST SP 800-186 section 3.2.1.3. It runs
wherever Python does; a robot with a native module passes that one in its place.

Verification handles public values only, so this code takes no care to run in constant time: it must never sign.
As ECDSA has it, `s` and `n - s` both verify; identity is the digest, never the signature.
"""

from surefoot.wire.errors import Misuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    Point = tuple[int, int, int]

COORDINATE_BYTES = 32

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

_WINDOW_BITS = 5


def verify(public_key_xy: bytes, digest: bytes, signature: bytes) -> bool:
    """Tell whether `signature` over `digest` was made with the private half of this key.

    Args:
        public_key_xy: the key as 64 bytes, `X || Y`, big-endian.
        digest: the 32 bytes of a SHA-256, used as they are.
        signature: 64 bytes, `r || s`, big-endian.

    Raises:
        Misuse: `misuse-digest` when the digest is not 32 bytes: the caller made it.
    """
    if len(digest) != 32:
        raise Misuse("misuse-digest", f"A SHA-256 digest has 32 bytes, not {len(digest)}.")
    if len(signature) != 2 * COORDINATE_BYTES or not is_on_curve(public_key_xy):
        return False
    r, s = _halves(signature)
    if not (0 < r < N and 0 < s < N):
        return False
    # Fermat's inverse: MicroPython's pow() knows no negative exponents.
    s_inverse = pow(s, N - 2, N)
    x, y = _halves(public_key_xy)
    u1 = int.from_bytes(digest, "big") * s_inverse % N
    u2 = r * s_inverse % N
    big_x, _, z = _sum_of_products(u1, u2, (x, y, 1))
    if z == 0:
        return False
    # r is an x coordinate below P reduced modulo N: it was r itself, or r + N where that is still below P.
    # Comparing with z**2 multiplied in saves the inversion back to affine coordinates.
    zz = z * z % P
    return (r * zz - big_x) % P == 0 or (r + N < P and ((r + N) * zz - big_x) % P == 0)


def is_on_curve(public_key_xy: bytes) -> bool:
    """Tell whether these are the 64 bytes `X || Y` of a point of P-256 (SEC 1 section 3.2.2.1; its cofactor is 1)."""
    if len(public_key_xy) != 2 * COORDINATE_BYTES:
        return False
    x, y = _halves(public_key_xy)
    return x < P and y < P and (y * y - (x * x - 3) * x - B) % P == 0


def _halves(data: bytes) -> "tuple[int, int]":
    return int.from_bytes(data[:COORDINATE_BYTES], "big"), int.from_bytes(data[COORDINATE_BYTES:], "big")


# Points are Jacobian: (X, Y, Z) stands for (X / Z**2, Y / Z**3), and Z == 0 for the point at infinity. The formulas
# are dbl-2001-b and add-1986-cc of the Explicit-Formulas Database, short Weierstrass curves with a = -3.


def _double(point: "Point") -> "Point":
    x, y, z = point
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(left: "Point", right: "Point") -> "Point":
    """Add two points; the right one is never infinity, being a small odd multiple of a point of prime order."""
    x1, y1, z1 = left
    x2, y2, z2 = right
    if z1 == 0:
        return right
    zz1 = z1 * z1 % P
    zz2 = z2 * z2 % P
    u1 = x1 * zz2 % P
    s1 = y1 * zz2 * z2 % P
    h = (x2 * zz1 - u1) % P
    slope = (y2 * zz1 * z1 - s1) % P
    if h == 0:
        return (1, 1, 0) if slope else _double(left)
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (slope * slope - hhh - 2 * v) % P
    return x3, (slope * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def _odd_multiples(point: "Point") -> "list[Point]":
    """Return 1, 3, 5, … times the point, as many as the signed digits can name."""
    twice = _double(point)
    multiples = [point]
    while len(multiples) < 1 << (_WINDOW_BITS - 2):
        multiples.append(_add(multiples[-1], twice))
    return multiples


def _signed_digits(scalar: int) -> "list[int]":
    """Return the scalar's non-adjacent form: 0 or odd digits below 2**(w-1), lowest first (Guide to ECC, 3.35)."""
    modulus = 1 << _WINDOW_BITS
    digits = []
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (modulus - 1)
            if digit >= modulus >> 1:
                digit -= modulus
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _sum_of_products(u1: int, u2: int, point: "Point") -> "Point":
    """Return u1 times the base point plus u2 times the point, with one chain of doublings for both."""
    pairs = ((_signed_digits(u1), _BASE_MULTIPLES), (_signed_digits(u2), _odd_multiples(point)))
    total = (1, 1, 0)
    for place in range(max(len(pairs[0][0]), len(pairs[1][0])) - 1, -1, -1):
        total = _double(total)
        for digits, multiples in pairs:
            digit = digits[place] if place < len(digits) else 0
            if digit > 0:
                total = _add(total, multiples[digit >> 1])
            elif digit < 0:
                x, y, z = multiples[-digit >> 1]
                total = _add(total, (x, -y, z))
    return total


_BASE_MULTIPLES = _odd_multiples((GX, GY, 1))
