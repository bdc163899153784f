"""Signs firmware: puts the header that robots verify in front of it."""

import hashlib
import os
import tempfile
from pathlib import Path

from surefoot.signing.signers import Signer
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing
from surefoot.wire import esp_image
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader, has_magic
from surefoot.wire.version import Version


def sign_image(firmware: bytes, version: Version, signer: Signer) -> bytes:
    """Return the firmware as a signed image: header, then the firmware unchanged.

    Raises:
        Refused: `refused-image-format` when there is nothing to sign or it is signed already,
            `refused-version-mismatch` when the build names another version inside, `refused-signature` when the
            signer's own public key does not verify what it signed; and what reading an ESP-IDF image refuses.
    """
    if not firmware:
        raise Refused("refused-image-format", "The firmware is empty: sign the image that the build made.")
    if has_magic(firmware):
        raise Refused("refused-image-format", "This image is signed already: sign the image that the build made.")
    _check_version_inside(firmware, version)
    digest = hashlib.sha256(firmware)
    header = ImageHeader(
        version=version,
        size_bytes=len(firmware),
        digest=digest.hexdigest(),
        signature=signer.sign_digest(digest.digest()),
    )
    # A key store may name a public key that does not belong to the private key it used, and robots would find out last.
    check_signed_image(header, header.digest, KeyRing(keys=(signer.public_key,)))
    return header.encode() + firmware


def sign_file(source: Path, target: Path, version: Version, signer: Signer) -> ImageHeader:
    """Sign the firmware in `source` into the file `target`, which appears whole or not at all; return its header.

    Raises:
        Refused: as `sign_image`; `refused-file-unreadable`, `refused-file-unwritable`.
    """
    try:
        firmware = source.read_bytes()
    except OSError as error:
        raise Refused("refused-file-unreadable", f"Cannot read {source}: {error.strerror}.") from error
    image = sign_image(firmware, version, signer)
    try:
        _write_whole(target, image)
    except OSError as error:
        raise Refused("refused-file-unwritable", f"Cannot write {target}: {error.strerror}.") from error
    return ImageHeader.parse(image[: -len(firmware)])


def _check_version_inside(firmware: bytes, version: Version) -> None:
    """Refuse a version other than the one inside the bytes that get signed: the header's own is not signed."""
    if not esp_image.has_magic(firmware):
        return
    image = esp_image.measure(lambda offset, length: firmware[offset : offset + length], len(firmware))
    inside = Version.parse_descriptor(image.version)
    if inside is not None and inside != version:
        raise Refused(
            "refused-version-mismatch",
            f"The build names itself {inside} inside and cannot be signed as {version}: sign it as {inside}.",
        )


def _write_whole(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
