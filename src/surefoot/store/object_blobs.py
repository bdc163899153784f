"""The `Blobs` port on an object store: S3 and what speaks its language, Google Cloud Storage, Azure.

Credentials come from the environment, under the names that each provider's own tools use.
"""

from collections.abc import Iterator
from datetime import timedelta

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, S3Store, from_url

from surefoot.store.blob_rules import SHA256, check_piece, check_sha256, missing, not_stored
from surefoot.wire.errors import Interrupted, Refused

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
# The library's own patience is three minutes, longer than robots and operators have.
TRIES_MAX = 3
TRY_S_MAX = 15


class ObjectBlobs:
    """Files in the object store at `url`, such as `s3://bucket/prefix`; each is an object named by its SHA-256.

    Raises:
        Refused: `refused-blobs-url` when the address names no object store, or its configuration is wrong.
    """

    def __init__(self, url: str) -> None:
        self._store = _open(url)

    def put(self, sha256: str, data: bytes) -> None:
        """Store durably; what is there already is left alone.

        Raises:
            Refused: `refused-sha256` when the bytes have another SHA-256.
            Interrupted: `interrupted-blob` when the store would not take them.
        """
        check_sha256(sha256, data)
        try:
            self._create(sha256, data)
        except (BaseError, OSError) as error:
            raise not_stored(sha256, type(error).__name__) from error

    def size_bytes(self, sha256: str) -> int | None:
        """Return the file's size, or None when there is none; raise `Interrupted` (`interrupted-blob`)."""
        if not SHA256.fullmatch(sha256):
            return None
        try:
            return obstore.head(self._store, sha256)["size"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _unreachable(sha256, error) from error

    def read(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        """Return a piece of the file.

        Raises:
            Damaged: `damaged-blob` when the file, or so much of it, is not there.
            Interrupted: `interrupted-blob` when the store did not answer.
            Misuse: `misuse-blob-range` when the piece has a negative offset or length.
        """
        check_piece(sha256, offset_bytes, length_bytes)
        # Each store answers a range beyond the end in its own way: with what there is, or with an error.
        size_bytes = self.size_bytes(sha256)
        if size_bytes is None or offset_bytes + length_bytes > size_bytes:
            raise missing(sha256)
        if length_bytes == 0:
            return b""
        try:
            piece = obstore.get_range(self._store, sha256, start=offset_bytes, length=length_bytes).to_bytes()
        except FileNotFoundError as error:
            raise missing(sha256) from error
        except (BaseError, OSError) as error:
            raise _unreachable(sha256, error) from error
        if len(piece) != length_bytes:
            raise missing(sha256)
        return piece

    def redirect_url(self, sha256: str, valid_s: int) -> str | None:
        """Return a signed address that serves the file for so many seconds; raise as `size_bytes`."""
        if not SHA256.fullmatch(sha256):
            return None
        try:
            return obstore.sign(self._store, "GET", sha256, timedelta(seconds=valid_s))
        except (BaseError, OSError) as error:
            raise _unreachable(sha256, error) from error

    def sha256s(self) -> Iterator[str]:
        """Yield the SHA-256 of every file; raise `Interrupted` (`interrupted-blob`)."""
        try:
            for page in obstore.list(self._store):
                yield from (found["path"] for found in page if SHA256.fullmatch(found["path"]))
        except (BaseError, OSError) as error:
            raise Interrupted(
                "interrupted-blob", f"The object store did not list its files ({type(error).__name__}): try again."
            ) from error

    def _create(self, sha256: str, data: bytes) -> None:
        try:
            obstore.put(self._store, sha256, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            # Another size means that something else wrote it: it is replaced.
            if obstore.head(self._store, sha256)["size"] != len(data):
                obstore.put(self._store, sha256, data, mode="overwrite", use_multipart=False)


def _open(url: str) -> S3Store | GCSStore | AzureStore:
    remedy = "name one, such as s3://bucket/prefix, and put its credentials into the environment."
    if url.partition("://")[0] not in SCHEMES:
        raise Refused("refused-blobs-url", f"The address of the images names no object store: {remedy}")
    try:
        store = from_url(url, retry_config={"max_retries": TRIES_MAX, "retry_timeout": timedelta(seconds=TRY_S_MAX)})
    except (BaseError, ValueError):
        # What the library says may repeat the configuration.
        raise Refused("refused-blobs-url", f"The object store cannot be used as configured: {remedy}") from None
    if not isinstance(store, (S3Store, GCSStore, AzureStore)):
        raise Refused("refused-blobs-url", f"The address of the images names no object store: {remedy}")
    return store


def _unreachable(sha256: str, error: Exception) -> Interrupted:
    # Without the error's own text, which may hold a signed address.
    return Interrupted("interrupted-blob", f"{sha256} could not be reached ({type(error).__name__}): try again.")
