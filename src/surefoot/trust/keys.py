"""Public keys, their ids, and the ring of keys that are trusted now."""

from surefoot.trust import p256
from surefoot.wire.errors import Refused
from surefoot.wire.key_id import P256_DER_PREFIX, key_id_of_xy
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Verify = Callable[[bytes, bytes, bytes], bool]

DER_BYTES = 91


class PublicKey(Record):
    """An ECDSA P-256 public key: `xy` is the 64 bytes `X || Y` that robots hold.

    Raises:
        Refused: `refused-key-format` unless `xy` is a point of the curve.
    """

    __slots__ = ("xy",)
    xy: bytes

    def check(self) -> None:
        if not p256.is_on_curve(self.xy):
            raise _refused("it is not a point of the curve P-256")

    @staticmethod
    def from_xy(xy: bytes) -> "PublicKey":
        """Take the key from its 64 bytes `X || Y`.

        Raises:
            Refused: `refused-key-format` unless they are a point of the curve.
        """
        return PublicKey(xy=xy)

    @staticmethod
    def from_der(der: bytes) -> "PublicKey":
        """Read what `openssl ec -pubout -outform DER` writes.

        There is one accepted encoding of each key, as the key id is a digest of it.

        Raises:
            Refused: `refused-key-format` for anything else, compressed points and spelled-out curves included.
        """
        if len(der) != DER_BYTES or der[: len(P256_DER_PREFIX)] != P256_DER_PREFIX:
            raise _refused("it is not the DER encoding of an uncompressed P-256 key")
        return PublicKey.from_xy(der[len(P256_DER_PREFIX) :])

    @property
    def der(self) -> bytes:
        """The key as 91 bytes of DER (SubjectPublicKeyInfo, uncompressed point)."""
        return P256_DER_PREFIX + self.xy

    @property
    def key_id(self) -> str:
        """The SHA-256 of the DER as 64 lower-case hex digits: what is stored and compared."""
        return key_id_of_xy(self.xy)

    @property
    def short_id(self) -> str:
        """The first 16 hex digits of the key id: for people to read, never to compare."""
        return self.key_id[:16]


class KeyRing(Record):
    """The keys that are trusted now. An empty ring believes nothing."""

    __slots__ = ("keys",)
    keys: "tuple[PublicKey, ...]"

    @property
    def key_ids(self) -> "tuple[str, ...]":
        """The ids of the keys, in the ring's order."""
        return tuple(key.key_id for key in self.keys)

    def find(self, key_id: str) -> "PublicKey | None":
        """Return the key with this whole id, or None."""
        for key in self.keys:
            if key.key_id == key_id:
                return key
        return None

    def verify(self, digest: bytes, signature: bytes, verify: "Verify" = p256.verify) -> "str | None":
        """Return the id of the key that made this signature over this SHA-256 digest, or None.

        Args:
            digest: 32 bytes.
            signature: 64 bytes, raw `r || s`.
            verify: what checks one signature, `(xy, digest, signature) -> bool`: a native module, where there is one.
        """
        for key in self.keys:
            if verify(key.xy, digest, signature):
                return key.key_id
        return None


def _refused(why: str) -> Refused:
    return Refused(
        "refused-key-format",
        f"This public key cannot be used: {why}. Export it with `openssl ec -pubout -outform DER`.",
    )
