"""Reading the spare slot back, so that what stands there is judged and not what was meant to be written.

The same file runs on CPython and on MicroPython.
"""

import binascii
import hashlib

from surefoot.agent import events as on
from surefoot.wire.errors import Refused
from surefoot.wire.limits import CHUNK_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent import effects as do
    from surefoot.shell.ports import SlotDriver


def digest_spare(slots: "SlotDriver", effect: "do.DigestSpare") -> "on.SpareDigested":
    """Return what stands in the spare slot, a piece at a time."""
    whole = hashlib.sha256(effect.header)
    image = hashlib.sha256()
    offset = 0
    while offset < effect.size_bytes:
        piece = slots.read(offset, min(CHUNK_BYTES, effect.size_bytes - offset))
        if not piece:
            break
        whole.update(piece)
        image.update(piece)
        offset += len(piece)
    version, chip_id, image_code = "", None, None
    try:
        version, chip_id = slots.inspect(effect.size_bytes)
    except Refused as refusal:
        image_code = refusal.code
    return on.SpareDigested(
        sha256=binascii.hexlify(whole.digest()).decode(),
        digest=binascii.hexlify(image.digest()).decode(),
        descriptor_version=version,
        chip_id=chip_id,
        image_code=image_code,
    )
