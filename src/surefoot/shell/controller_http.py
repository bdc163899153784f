"""The two endpoints by which a controller is updated, and what the words of its status mean.

`POST /ota/upload` takes the signed image file, `GET /ota/status` answers `status`, `progress`, `version`, `error`, and
from newer controllers `digest` and `slot`. Both want the token.
"""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.fields import NAME_CHARS, PRINTABLE_CHARS, Fields, parse_object
from surefoot.wire.limits import NAME_CHARS_MAX
from surefoot.wire.report import ROLLED_BACK, TRIAL

CODE = "interrupted-controller"
TIMEOUT_S = 15.0
ANSWER_BYTES_MAX = 8192

REST = "rest"
BUSY = "busy"
ERROR = "error"
# What the words of `status` mean. A word that is not here means nothing: the controller is asked again, not believed.
WORDS = {
    "idle": REST, "ok": REST, "success": REST, "completed": REST, "confirmed": REST, "installed": REST,
    "receiving": BUSY, "uploading": BUSY, "writing": BUSY, "verifying": BUSY, "rebooting": BUSY,
    "trial": TRIAL, "validating": TRIAL, "rolled_back": ROLLED_BACK, "error": ERROR, "failed": ERROR,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerStatus:
    """What a controller says: the meaning of its word, the version that runs, and digest and slot if it offers them."""

    meaning: str
    version: str
    error: str
    digest: str | None
    slot: str | None


class Controller:
    """The two endpoints.

    Args:
        url: Such as `http://192.168.4.1` or `https://controller.local`.
        token: Sent as `Authorization: Bearer`.
        ca_file: Who may vouch for a controller that speaks https, in PEM; None for the system's.
        words: What the words of its `status` mean.
    """

    def __init__(
        self, url: str, token: str, *, ca_file: Path | None = None, words: Mapping[str, str] = MappingProxyType(WORDS)
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refused(
                "refused-url", f"{url} is not the address of a controller: write http://HOST or https://HOST."
            )
        self._host, self._port, self._base = parts.hostname, parts.port, parts.path.rstrip("/")
        self._authorization = f"Bearer {token}"
        self._words = words
        self._tls = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))

    def status(self) -> ControllerStatus:
        """Ask what runs.

        Raises:
            Interrupted: `interrupted-controller`, no answer, or none that can be understood.
        """
        code, body = self._ask("GET", "/ota/status", {}, None)
        try:
            if code != http.client.OK:
                raise Refused(CODE, f"it answered {code}")
            fields = Fields(parse_object(body, CODE, ANSWER_BYTES_MAX), CODE, "status")
            return ControllerStatus(
                meaning=self._words.get(fields.text("status", NAME_CHARS_MAX).lower(), BUSY),
                version=fields.text("version", NAME_CHARS_MAX, PRINTABLE_CHARS),
                error=_printable(str(fields.source.get("error") or "no reason")[:NAME_CHARS_MAX]),
                digest=fields.optional_digest("digest"),
                slot=fields.optional_text("slot", NAME_CHARS_MAX, NAME_CHARS),
            )
        except Refused as error:
            raise Interrupted(CODE, f"The controller's status cannot be used: {error.message}.") from error

    def upload(self, pieces: Iterator[bytes], size_bytes: int) -> None:
        """Send the signed image file.

        Raises:
            Refused: `refused-by-controller`.
            Interrupted: `interrupted-controller`; it may have arrived all the same.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
        code, body = self._ask("POST", "/ota/upload", headers, pieces)
        if code >= 500:
            raise Interrupted(CODE, f"The controller answered {code} to the upload: try again.")
        if code >= 300:
            said = body[:200].decode(errors="replace")
            remedy = "check the token" if code in {401, 403} else "check the image"
            raise Refused("refused-by-controller", f"The controller answered {code} ({said}): {remedy}.")

    def _ask(self, method: str, path: str, headers: dict[str, str], body: Iterator[bytes] | None) -> tuple[int, bytes]:
        if self._tls is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        else:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=self._tls)
        try:
            connection.request(method, self._base + path, body, {**headers, "Authorization": self._authorization})
            answer = connection.getresponse()
            return answer.status, answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            detail = f"The controller at {self._host} does not answer ({error}): check its power and network."
            raise Interrupted(CODE, detail) from error
        finally:
            connection.close()


def _printable(text: str) -> str:
    """Return text that any log takes: JSON can say halves of characters."""
    return "".join(char if char.isprintable() else "?" for char in text)
