"""Whether a signed image is what its header says, and which trusted key signed it.

The version and the SKU are judged elsewhere: the signature does not cover the header.
"""

import binascii

from surefoot.trust import p256
from surefoot.trust.keys import KeyRing
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.trust.keys import Verify


def check_signed_image(header: ImageHeader, digest: str, ring: KeyRing, verify: "Verify" = p256.verify) -> str:
    """Return the id of the trusted key that signed the firmware with this digest.

    Args:
        header: the header as received.
        digest: SHA-256 of the firmware data as received, header excluded: 64 lower-case hex digits.
        ring: the keys that are trusted now.
        verify: what checks one signature, as in `KeyRing.verify`.

    Raises:
        Refused: `refused-digest` when the firmware is not what the header names, `refused-signature` when no trusted
            key signed it.
    """
    if digest != header.digest:
        raise Refused(
            "refused-digest",
            f"The firmware's SHA-256 is {digest[:16]}… and its header says {header.digest[:16]}…: fetch it again.",
        )
    key_id = ring.verify(binascii.unhexlify(digest), header.signature, verify)
    if key_id is None:
        trusted = ", ".join(key.short_id for key in ring.keys) or "none"
        raise Refused(
            "refused-signature",
            f"No trusted key signed this image (trusted: {trusted}): sign it with one of those keys.",
        )
    return key_id
