"""The download that is open for the agent, and how far it was read.

The same file runs on CPython and on MicroPython.
"""

from surefoot.agent import events as on
from surefoot.shell.patching import open_patched
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.limits import CHUNK_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from surefoot.agent import effects as do
    from surefoot.shell.ports import Download, Inflate, Transport
    from surefoot.wire.esp_image import Read


class Fetching:
    """At most one open download, of a file or of the delta that makes it.

    Args:
        transport: The way to the images.
        read_running: Reads the image that runs, for deltas.
        inflate: Unpacks deltas; None where the robot takes none.
        log: Tells a person.
    """

    def __init__(
        self, transport: "Transport", read_running: "Read", inflate: "Inflate | None", log: "Callable[[str], None]"
    ) -> None:
        self._transport = transport
        self._read_running = read_running
        self._inflate = inflate
        self._log = log
        self._download: "Download | None" = None
        self._offset_bytes = 0
        self._chunk_bytes = 0

    def open(self, effect: "do.Fetch") -> "on.Event | None":
        """Open what the agent asks for, in place of what is open; return the event of a failure."""
        self.close()
        try:
            self._download = self._opened(effect)
        except (Interrupted, Refused) as error:
            return self.broken(error)
        self._offset_bytes = effect.first_byte
        self._chunk_bytes = effect.first_chunk_bytes
        return None

    def next_chunk(self) -> "on.Event":
        """Return the next piece, or how the download broke."""
        try:
            data = b"" if self._download is None else self._download.read(self._chunk_bytes)
        except (Interrupted, Refused) as error:
            return self.broken(error)
        if not data:
            self.close()
            return on.DownloadFailed(code="download-interrupted")
        event = on.ChunkArrived(offset_bytes=self._offset_bytes, data=data)
        self._offset_bytes += len(data)
        self._chunk_bytes = CHUNK_BYTES
        return event

    def broken(self, error: "Interrupted | Refused") -> "on.Event":
        """Close it, and return what that means to the agent."""
        self.close()
        self._log(f"{error.code}: {error.message}")
        return on.DownloadRefused(code=error.code) if isinstance(error, Refused) else on.DownloadFailed(code=error.code)

    def close(self) -> None:
        """Let go of the connection."""
        if self._download is not None:
            self._download.close()
            self._download = None

    def _opened(self, effect: "do.Fetch") -> "Download":
        delta = effect.delta
        if delta is None or self._inflate is None:
            return self._transport.open(effect.url, effect.sha256, effect.first_byte)
        download = self._transport.open(delta.url, delta.sha256, 0)
        return open_patched(download, delta, self._read_running, self._inflate, effect.first_byte)
