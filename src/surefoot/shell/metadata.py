"""Signed metadata on a companion: what it offers is believed only when offline keys list it, and the news is fresh.

python-tuf's client does the specification's walk: from the root the companion was given to the newest one, then
timestamp, snapshot and targets, each checked against the one before and against what was seen before. What it found
wrong becomes a named refusal; a way that is merely broken is tried again, until the news has gone stale with it. Stale
news ends nothing: every report tells of it, and an offer waits for newer.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    SlowRetrievalError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, TargetFile, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from surefoot.shell.ports import Download, Transport
from surefoot.wire import metadata as wire
from surefoot.wire import offer as wire_offer
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.formats import ROBO
from surefoot.wire.offer import Offer
from surefoot.wire.report import Report

FOLDER = "metadata"
METADATA_PATH = "/v1/metadata/"
PIECE_BYTES = 16 * 1024
# A document that takes longer is taken for withheld, however steadily its bytes trickle.
RETRIEVAL_S_MAX = 60.0
EXPIRED = "refused-metadata-expired"
CONFIG = UpdaterConfig(
    root_max_length=wire.ROOT_BYTES_MAX,
    timestamp_max_length=wire.TIMESTAMP_BYTES_MAX,
    snapshot_max_length=wire.SNAPSHOT_BYTES_MAX,
    targets_max_length=wire.TARGETS_BYTES_MAX,
)

# First match wins: a library's error, and under which code a person hears of it.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (ExpiredMetadataError, EXPIRED),
    (UnsignedMetadataError, "refused-metadata-signature"),
    (BadVersionNumberError, "refused-metadata-rollback"),
    (LengthOrHashMismatchError, "refused-metadata-mismatch"),
    (DownloadLengthMismatchError, "refused-metadata-endless"),
    (DeserializationError, "refused-metadata-format"),
    (RepositoryError, "refused-metadata-mismatch"),
)


class Answer(Protocol):
    """The open answer of a server."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    def read_some(self, length_bytes: int) -> bytes:
        """Return the next bytes as they come, b"" at the end; `Interrupted` when the way breaks."""

    def close(self) -> None:
        """Let go of the connection."""


class Fetcher(FetcherInterface):
    """Fetches documents the agent's own way, with an end to every wait."""

    def __init__(self, get: Callable[[str], Answer], monotonic_s: Callable[[], float]) -> None:
        self._get = get
        self._monotonic_s = monotonic_s

    def _fetch(self, url: str) -> Iterator[bytes]:
        end_s = self._monotonic_s() + RETRIEVAL_S_MAX
        answer = self._get(url)
        if answer.status != 200:
            answer.close()
            raise DownloadHTTPError(f"the server answered {answer.status}", answer.status)
        return self._pieces(answer, end_s)

    def _pieces(self, answer: Answer, end_s: float) -> Iterator[bytes]:
        try:
            while piece := answer.read_some(PIECE_BYTES):
                if self._monotonic_s() > end_s:
                    raise SlowRetrievalError(f"it took more than {RETRIEVAL_S_MAX:g} s")
                yield piece
        except Interrupted as error:
            raise DownloadError(error.message) from error
        finally:
            answer.close()


class MetadataWitness:
    """Tells what offline keys say of an offer, and what time it is. Fills `shell.ports.Witness`.

    Args:
        directory: The agent's own; what was believed is remembered in a folder there.
        root: The root metadata that the companion was given with its keys; it leads to every later one.
        sku: The robot's.
        fetcher: The way to the server's documents.
        clock_s: Unix seconds.
        log_line: Tells a person what is wrong.
    """

    def __init__(
        self,
        directory: Path,
        root: bytes,
        sku: str,
        fetcher: FetcherInterface,
        clock_s: Callable[[], float],
        log_line: Callable[[str], None],
    ) -> None:
        self._folder = directory / FOLDER
        self._root = root
        self._sku = sku
        self._fetcher = fetcher
        self._clock_s = clock_s
        self._log_line = log_line

    def now_s(self) -> int:
        """Return the time as this robot knows it, in Unix seconds."""
        return int(self._clock_s())

    def stale_code(self) -> str | None:
        """Refresh the news; return the code of what is wrong with it, None while it is fresh enough to act on.

        A server that cannot be reached for a while is nothing to report; that the last news is out of date is.
        """
        try:
            self._refreshed()
        except Refused as refusal:
            return self._told(refusal)
        except Interrupted as error:
            if self._is_remembered_fresh():
                return None
            detail = (
                f"There was no news for longer than the last was good for: find out who withholds it. {error.message}"
            )
            return self._told(Refused(EXPIRED, detail))
        return None

    def refusal_of(self, offer: Offer) -> str | None:
        """Return the code under which an offer is refused, None when offline keys vouch for all it says.

        Raises:
            Interrupted: `interrupted-metadata` when that cannot be told now, for want of news or of news in its time.
        """
        try:
            self._check(offer)
        except Refused as refusal:
            if refusal.code == EXPIRED:
                # Old news says nothing against the offer: to refuse it would end it for what newer news can mend.
                detail = f"The offer waits for newer news. {refusal.message}"
                raise Interrupted("interrupted-metadata", detail) from refusal
            return self._told(refusal)
        return None

    def _told(self, refusal: Refused) -> str:
        self._log_line(f"{refusal.code}: {refusal.message}")
        return refusal.code

    def _check(self, offer: Offer) -> None:
        path = wire.target_path(self._sku, offer.version, ROBO)
        target = self._refreshed().get_targetinfo(path)
        if target is None:
            raise Refused("refused-metadata-mismatch", f"The metadata does not list {path}: publish the release again.")
        for name, listed, offered in _pairs(target, offer):
            if offered is not None and offered != listed:
                detail = f"The metadata lists {path} with {name} {listed} and it is offered with {offered}."
                raise Refused("refused-metadata-mismatch", detail)

    def _refreshed(self) -> Updater:
        try:
            updater = Updater(
                metadata_dir=str(self._folder),
                metadata_base_url=METADATA_PATH,
                fetcher=self._fetcher,
                config=CONFIG,
                bootstrap=self._root,
            )
            # The library would look at a clock of its own, and a document's time would be another than the robot's.
            updater._trusted_set.reference_time = datetime.fromtimestamp(self.now_s(), UTC)
            updater.refresh()
        except (RepositoryError, DownloadError) as error:
            for kind, code in _CODES:
                if isinstance(error, kind):
                    raise Refused(code, f"The server's metadata cannot be believed: {error}.") from error
            raise Interrupted("interrupted-metadata", f"The metadata did not arrive ({error}): asked again.") from error
        except OSError as error:
            raise Interrupted("interrupted-metadata", f"The metadata cannot be kept: {error}.") from error
        return updater

    def _is_remembered_fresh(self) -> bool:
        """Whether the last timestamp that was believed is still in its time."""
        with suppress(OSError, DeserializationError):
            remembered = Metadata[Timestamp].from_bytes((self._folder / "timestamp.json").read_bytes())
            return not remembered.signed.is_expired(datetime.fromtimestamp(self.now_s(), UTC))
        return False


class WitnessedTransport:
    """The way to the server, with every report telling of stale news. Fills `shell.ports.Transport`."""

    def __init__(self, transport: Transport, witness: MetadataWitness) -> None:
        self._transport = transport
        self._witness = witness

    def exchange(self, report: Report) -> wire_offer.Answer:
        """Send a report and return the answer; raise as the transport does."""
        code = self._witness.stale_code()
        return self._transport.exchange(report if code is None else report.replace(code=code))

    def open(self, url: str, sha256: str, first_byte: int) -> Download:
        """Open a download; raise as the transport does."""
        return self._transport.open(url, sha256, first_byte)


def _pairs(target: TargetFile, offer: Offer) -> Iterator[tuple[str, object, object]]:
    """Yield what the metadata lists beside what is offered; None where the offer does not say it."""
    custom = target.custom if isinstance(target.custom, dict) else {}
    manifest = offer.manifest
    yield "length", target.length, offer.size_bytes
    yield "sha256", target.hashes.get("sha256"), offer.sha256
    yield "digest", custom.get("digest"), offer.digest
    yield "version", custom.get("version"), str(offer.version)
    yield "sku", custom.get("sku"), offer.sku
    yield "manifest", custom.get("manifest"), None if manifest is None else hashlib.sha256(manifest.payload).hexdigest()
