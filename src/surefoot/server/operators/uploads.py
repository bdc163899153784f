"""Images on their way in: they arrive on disk, and are in memory only while they are checked, few at once.

So who sends slowly, or stops amid an image, keeps nobody else's from being published.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from starlette.types import Receive

from surefoot.server.asgi import ClientGone, receive_body
from surefoot.store.blob_rules import not_stored
from surefoot.wire.errors import Interrupted, Refused

# Each takes up to `image_bytes_max` of the disk; one more waits for its turn.
ARRIVING_MAX = 32
# And so much of the memory.
CHECKED_MAX = 2


class Uploads:
    """The turns of one process.

    Args:
        folder: Where files lie while they arrive, without a name: nothing is left of them after a kill.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arriving = asyncio.Semaphore(ARRIVING_MAX)
        self._checking = asyncio.Semaphore(CHECKED_MAX)

    @asynccontextmanager
    async def arrived(
        self, sha256: str, headers: Mapping[bytes, bytes], receive: Receive, bytes_max: int, timeout_s: float
    ) -> AsyncIterator[bytes]:
        """Yield the file that was sent under this SHA-256, once it is here and it is its turn to be checked.

        Raises:
            Refused: `refused-body-too-large`; `refused-sha256` when it has another one.
            Interrupted: `interrupted-body` when it does not arrive whole and in time; `interrupted-blob` when the disk
                does not take it.
        """
        async with self._arriving:
            with ExitStack() as stack:
                try:
                    # Unbuffered: what a full disk did not take would be written, and fail, once more at closing.
                    file = stack.enter_context(tempfile.TemporaryFile(buffering=0, dir=self._folder))
                    digest = hashlib.sha256()

                    def take(piece: bytes) -> None:
                        digest.update(piece)
                        while piece:
                            piece = piece[file.write(piece) :]

                    await receive_body(headers, receive, bytes_max, timeout_s, take)
                    file.seek(0)
                except ClientGone:
                    raise Interrupted("interrupted-body", "The image did not arrive whole: send it again.") from None
                except OSError as error:
                    raise not_stored(sha256, str(error.strerror)) from error
                if (found := digest.hexdigest()) != sha256:
                    detail = f"The file has the SHA-256 {found}, not the one it was sent under."
                    raise Refused("refused-sha256", detail)
                async with self._checking:
                    yield await asyncio.to_thread(file.read)
