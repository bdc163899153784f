"""The way to the server over HTTPS, on CPython's standard library alone: a robot needs nothing else installed."""

import contextlib
import http.client
import ssl
import time
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from surefoot.shell.problems import error_of
from surefoot.wire import limits
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.offer import Answer, parse_answer
from surefoot.wire.report import Report, encode_report

TIMEOUT_S = 15.0
# For one read, as a sender whose bytes trickle in time keeps a robot from asking anybody anything.
READ_S_MAX = 60.0
REDIRECTS_MAX = 3
REDIRECTS = (301, 302, 303, 307, 308)
# The server says of these that it will not serve the file again; of anything else another try may end better.
GONE = (404, 410)


class HttpsDownload:
    """One open answer of a server. Fills `shell.ports.Download`."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._response = connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers

    def read(self, length_bytes: int) -> bytes:
        """Return exactly so many bytes, fewer at the end.

        Raises:
            Interrupted: `download-interrupted` when the connection breaks, or what comes is next to nothing.
        """
        data, end_s = b"", time.monotonic() + READ_S_MAX
        while len(data) < length_bytes:
            piece = self.read_some(length_bytes - len(data))
            if not piece:
                break
            data += piece
            if len(data) < length_bytes and time.monotonic() > end_s:
                raise Interrupted("download-interrupted", "The bytes trickle: it is tried again later.")
        # http.client takes a connection closed early for the end of the file when it is read in pieces.
        if len(data) < length_bytes and self._response.length:
            raise Interrupted("download-interrupted", "The download broke off: it goes on later.")
        return data

    def read_some(self, length_bytes: int) -> bytes:
        """Return the next bytes as they come, at most so many, b"" at the end.

        Raises:
            Interrupted: `download-interrupted` when the connection breaks.
        """
        try:
            return self._response.read1(length_bytes)
        except (OSError, http.client.HTTPException) as error:
            raise Interrupted("download-interrupted", f"The download broke off ({error}): it goes on later.") from error

    def close(self) -> None:
        """Drop the connection: what is left of the file is not wanted."""
        # The answer may have taken the socket over from the connection.
        self._response.close()
        self._connection.close()


class HttpsTransport:
    """One robot's way to its server. Fills `shell.ports.Transport`.

    Args:
        server_url: Such as `https://updates.example:8443`.
        token: The robot's bearer token; None when it proves itself with a certificate.
        ca_file: The certificates that may vouch for the server, in PEM; None for the system's.
        certificate_file: The robot's key and certificate chain, in PEM, if it has a certificate.

    Token and certificate are shown to this server only, never to where a download is redirected. A certificate that was
    renewed counts from the next connection on: the server forgets earlier ones while an agent runs on for months.
    """

    def __init__(
        self,
        server_url: str,
        token: str | None,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
    ) -> None:
        host, port, self._base = https_parts(server_url)
        self._origin = (host, port)
        self._credentials = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._ca_file, self._certificate_file = ca_file, certificate_file
        self._certificate_seen = _stamp(certificate_file)
        self._tls = tls_context(ca_file, certificate_file)
        self._tls_elsewhere = tls_context(ca_file, None)

    def exchange(self, report: Report) -> Answer:
        """Send a report and return the answer.

        Raises:
            Interrupted: `server-unreachable`.
            Refused: The server's code when it refuses the report or the robot, or `refused-answer-format`.
        """
        headers = {**self._credentials, "Content-Type": "application/json"}
        unreachable = "server-unreachable"
        body = encode_report(report)
        answer = self._ask(self._origin, "POST", f"{self._base}/v1/check", headers, unreachable, body)
        try:
            received = answer.read(limits.ANSWER_BYTES_MAX + 1)
        except Interrupted as error:
            raise Interrupted(unreachable, "The server's answer broke off: it is asked again.") from error
        finally:
            answer.close()
        if answer.status == 200:
            return parse_answer(received)
        raise error_of(received, answer.status)

    def get(self, path: str) -> HttpsDownload:
        """Open a document of this server that everyone may read; `Interrupted` (`server-unreachable`)."""
        headers = {"Accept-Encoding": "identity"}
        return self._ask(self._origin, "GET", self._base + path, headers, "server-unreachable")

    def open(self, url: str, sha256: str, first_byte: int) -> HttpsDownload:
        """Open a download from a byte on, over redirects.

        Raises:
            Interrupted: `download-interrupted`.
            Refused: `refused-image-gone`; `refused-url` when the address is not https.
        """
        place = _https_place(url)
        if place is None:
            raise Refused("refused-url", "The image's address is not https: offer one that is.")
        for _ in range(REDIRECTS_MAX + 1):
            answer = self._get(place, sha256, first_byte)
            if answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {first_byte}-"):
                return answer
            if answer.status == 200:
                _skip(answer, first_byte)
                return answer
            answer.close()
            if answer.status in GONE:
                raise Refused("refused-image-gone", f"The server does not serve image {sha256[:16]}… any more.")
            if answer.status not in REDIRECTS:
                detail = f"The server answered {answer.status} for byte {first_byte}: it is asked again later."
                raise Interrupted("download-interrupted", detail)
            place = _https_place(answer.headers.get("Location", ""))
            if place is None:
                detail = "The server redirects to what is no https address: it is asked again later."
                raise Interrupted("download-interrupted", detail)
        raise Interrupted("download-interrupted", f"More than {REDIRECTS_MAX} redirects: it is asked again later.")

    def _get(self, place: SplitResult, sha256: str, first_byte: int) -> HttpsDownload:
        origin = (place.hostname or "", place.port or 443)
        headers = {"Range": f"bytes={first_byte}-", "Accept-Encoding": "identity"}
        if origin == self._origin:
            # Only this server names files by their SHA-256: another one would take it for a file that has changed.
            headers |= {**self._credentials, "If-Range": f'"{sha256}"'}
        path = place.path + (f"?{place.query}" if place.query else "")
        return self._ask(origin, "GET", path, headers, "download-interrupted")

    def _ask(
        self,
        origin: tuple[str, int],
        method: str,
        path: str,
        headers: dict[str, str],
        code: str,
        body: bytes | None = None,
    ) -> HttpsDownload:
        """Send a request and return the answer's beginning; a failure is `Interrupted` with this code."""
        tls = self._own_tls() if origin == self._origin else self._tls_elsewhere
        connection = None
        try:
            connection = http.client.HTTPSConnection(origin[0], origin[1], timeout=TIMEOUT_S, context=tls)
            connection.request(method, path, body=body, headers=headers)
            return HttpsDownload(connection)
        # A host or a path that cannot be said on a wire is a ValueError.
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection is not None:
                connection.close()
            raise Interrupted(code, f"{origin[0]} does not answer ({error}): check the way to it.") from error

    def _own_tls(self) -> ssl.SSLContext:
        seen = _stamp(self._certificate_file)
        if seen != self._certificate_seen:
            # A file that cannot be read is no reason to give up the certificate that came from it before.
            with contextlib.suppress(Refused):
                self._tls = tls_context(self._ca_file, self._certificate_file)
                self._certificate_seen = seen
        return self._tls


def https_parts(server_url: str) -> tuple[str, int, str]:
    """Return host, port and the path below which the server's own begin; `Refused` (`refused-url`)."""
    place = _https_place(server_url)
    if place is None:
        raise Refused("refused-url", f"{server_url} is not an https address: the server speaks nothing else.")
    return place.hostname or "", place.port or 443, place.path.rstrip("/")


def _https_place(url: str) -> SplitResult | None:
    """Return the parts of an https address, None for anything else: whoever redirects a robot may send it anywhere."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname and parts.port != 0:
            return parts
    return None


def tls_context(ca_file: Path | None, certificate_file: Path | None) -> ssl.SSLContext:
    """Return how to speak TLS 1.2 or newer, with a certificate of one's own if a file with one is named.

    Raises:
        Refused: `refused-certificate-file`.
    """
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file is not None:
        try:
            context.load_cert_chain(certificate_file)
        except (OSError, ssl.SSLError) as error:
            detail = f"{certificate_file} holds no key with its certificate: enrol the robot."
            raise Refused("refused-certificate-file", detail) from error
    return context


def _stamp(path: Path | None) -> tuple[int, int] | None:
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns)


def _skip(answer: HttpsDownload, length_bytes: int) -> None:
    """Read over what the robot has of a file that comes whole; were it another one, its digest would show it."""
    try:
        while length_bytes:
            skipped = answer.read(min(length_bytes, limits.CHUNK_BYTES))
            if not skipped:
                detail = "The file ends before the byte where the robot goes on: it is asked again later."
                raise Interrupted("download-interrupted", detail)
            length_bytes -= len(skipped)
    except Interrupted:
        answer.close()
        raise
