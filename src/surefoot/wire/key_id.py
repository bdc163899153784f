"""The id of an ECDSA P-256 public key: the SHA-256 of its one DER encoding, which MCUboot calls the key's hash."""

import binascii
import hashlib

# SubjectPublicKeyInfo up to the point, for id-ecPublicKey and secp256r1 as a named curve (RFC 5480 section 2.1.1.1).
# The final 0x04 says that the point is uncompressed.
P256_DER_PREFIX = binascii.unhexlify("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def key_id_of_xy(xy: bytes) -> str:
    """Return the id of the key `X || Y`, be it a point of the curve or not: 64 lower-case hex digits."""
    return binascii.hexlify(hashlib.sha256(P256_DER_PREFIX + xy).digest()).decode()
