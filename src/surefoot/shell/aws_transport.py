"""The way to AWS IoT Core instead of a server of one's own: Jobs for offers and endings, streams or HTTPS for images.

The agent behind it is the same. Its journal holds job, version and digest before anything is confirmed; what it says
follows from what runs, never from whether it is in a self-test. An ending is said again at every boot and contact until
AWS has accepted it or has it on record, so a robot that lost power between confirming and saying so is no failed one.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from surefoot.shell.aws_documents import JOB_URL, Source, offer_of, source_of
from surefoot.shell.ports import Download, Transport
from surefoot.wire import report as wire
from surefoot.wire.codes import RETRYABLE
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import AssignmentReport, Report

# A job that went wrong for want of power is tried again without a word of failure: AWS never gives it a second time.
ATTEMPTS_MAX = 3
# Whatever changes is announced; this is for what gets lost.
NEXT_CHECK_S = 3600
BLOCK_BYTES = 16 * 1024
BLOCKS_AT_ONCE = 4
STATUS_OF = {wire.INSTALLED: "SUCCEEDED", wire.ROLLED_BACK: "FAILED", wire.REFUSED: "REJECTED"}
ENDED = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED")
# The job is not there any more: there is nobody to tell.
GONE = ("ResourceNotFound", "TerminalStateReached")


class JobsLink(Protocol):
    """A connection to AWS IoT Core that is kept up by itself."""

    def ask(self, suffix: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Ask the Jobs service; return whether it accepted, and its answer; `Interrupted` (`server-unreachable`)."""

    def blocks(self, stream: str, request: dict[str, Any], count: int) -> list[bytes]:
        """Return so many blocks of a stream, in order.

        Raises:
            Interrupted: `download-interrupted`.
            Refused: `refused-image-gone` when the stream is not there for this robot any more.
        """

    def work_on(self, job_id: str | None) -> None:
        """Note the job in hand: whoever hears that another is next, or none, stops it."""


class AwsTransport:
    """One robot's way to AWS IoT Core. Fills `shell.ports.Transport`.

    Args:
        link: The connection.
        https: Opens presigned addresses; never asked for anything else.
        log_line: Tells a person.
    """

    def __init__(self, link: JobsLink, https: Transport, log_line: Callable[[str], None]) -> None:
        self._link = link
        self._https = https
        self._log = log_line

    def exchange(self, report: Report) -> Answer:
        """Say what came of the last job, ask for the next one, and answer as a server would.

        Raises:
            Interrupted: `server-unreachable`.
        """
        said = report.assignment
        is_busy = said is not None and said.state in wire.IN_PROGRESS_STATES
        self._link.work_on(said.id if said is not None and is_busy else None)
        acknowledged = cancelled = None
        if said is not None and said.state in STATUS_OF and not _may_try_again(said):
            self._end(report, said)
            acknowledged = said.id
        offer, execution = None, self._next()
        job_id = None if execution is None else str(execution.get("jobId"))
        if said is not None and is_busy and said.id != job_id:
            cancelled = said.id
        elif execution is not None and job_id != acknowledged:
            offer = self._offer(report, execution)
        if offer is not None:
            self._link.work_on(offer.id)
        return Answer(
            acknowledged=acknowledged, offer=offer, cancelled=cancelled, stale=False, next_check_s=NEXT_CHECK_S
        )

    def open(self, url: str, sha256: str, first_byte: int) -> Download:
        """Open a job's file by its document as it is now: presigned addresses run out.

        Raises:
            Interrupted: `server-unreachable`, `download-interrupted`.
            Refused: `refused-image-gone`, `refused-url`, `refused-offer-format`.
        """
        job_id = url.removeprefix(JOB_URL)
        is_accepted, answer = self._link.ask(f"{job_id}/get", {"includeJobDocument": True})
        execution = answer.get("execution") if is_accepted else None
        if not isinstance(execution, dict) or execution.get("status") in ENDED:
            raise Refused("refused-image-gone", f"AWS has no job {job_id} for this robot any more.")
        source = source_of(execution.get("jobDocument"))
        if source.url is not None:
            return self._https.open(source.url, sha256, first_byte)
        return StreamDownload(self._link, source, first_byte)

    def _next(self) -> dict[str, Any] | None:
        is_accepted, answer = self._link.ask("$next/get", {"includeJobDocument": True})
        if not is_accepted:
            raise Interrupted("server-unreachable", f"AWS does not tell the next job: {answer.get('code')}.")
        execution = answer.get("execution")
        return execution if isinstance(execution, dict) else None

    def _offer(self, report: Report, execution: dict[str, Any]) -> Offer | None:
        said, job_id = report.assignment, str(execution.get("jobId"))
        is_known = said is not None and said.id == job_id
        try:
            offer = offer_of(execution, report.sku, 1 + (said.attempts if said is not None and is_known else 0))
        except Refused as error:
            self._log(f"{error.code}: {error.message}")
            self._update(job_id, "REJECTED", {"code": error.code, "reason": error.message[:1024]})
            return None
        state, code = (said.state, said.code) if said is not None and is_known else ("offered", None)
        self._update(job_id, "IN_PROGRESS", _details(report, state, code))
        return offer

    def _end(self, report: Report, said: AssignmentReport) -> None:
        """Say how a job ended; return when AWS has it on record, or cannot have it any more."""
        status = STATUS_OF[said.state]
        is_accepted, answer = self._update(said.id, status, _details(report, said.state, said.code))
        if is_accepted:
            return
        state = answer.get("executionState")
        recorded = state.get("status") if isinstance(state, dict) else None
        if recorded not in ENDED and answer.get("code") not in GONE:
            detail = f"AWS does not take the end of {said.id} ({answer.get('code')}): it is told again."
            raise Interrupted("server-unreachable", detail)
        if recorded != status:
            self._log(f"AWS has {recorded or 'nothing'} of job {said.id} on record, and it is {status}")

    def _update(self, job_id: str, status: str, details: dict[str, str]) -> tuple[bool, dict[str, Any]]:
        body = {"status": status, "statusDetails": details, "includeJobExecutionState": True}
        return self._link.ask(f"{job_id}/update", body)


class StreamDownload:
    """A file that comes as blocks of a stream. Fills `shell.ports.Download`."""

    def __init__(self, link: JobsLink, source: Source, first_byte: int) -> None:
        self._link = link
        self._source = source
        self._next_byte = first_byte
        self._held = b""
        self._pieces = self._fetch()

    def read(self, length_bytes: int) -> bytes:
        """Return exactly so many bytes, fewer only at the end; raise as `JobsLink.blocks` does."""
        while len(self._held) < length_bytes:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._held += piece
        data, self._held = self._held[:length_bytes], self._held[length_bytes:]
        return data

    def close(self) -> None:
        """Ask for nothing more."""
        self._pieces = iter(())

    def _fetch(self) -> Iterator[bytes]:
        size_bytes = self._source.size_bytes
        total = -(-size_bytes // BLOCK_BYTES)
        while self._next_byte < size_bytes:
            first, skipped = divmod(self._next_byte, BLOCK_BYTES)
            count = min(BLOCKS_AT_ONCE, total - first)
            request = {"s": 1, "f": self._source.file_id, "l": BLOCK_BYTES, "o": first, "n": count}
            data = b"".join(self._link.blocks(self._source.stream, request, count))[skipped:]
            self._next_byte += len(data)
            yield data


def _may_try_again(said: AssignmentReport) -> bool:
    is_worth_it = said.state != wire.INSTALLED and said.code in RETRYABLE and said.code != "cancelled"
    return is_worth_it and said.attempts < ATTEMPTS_MAX


def _details(report: Report, state: str, code: str | None) -> dict[str, str]:
    running = report.running
    attempts = None if report.assignment is None else str(report.assignment.attempts)
    told = {"state": state, "code": code, "version": running.version, "digest": running.digest, "attempts": attempts}
    return {name: text for name, text in told.items() if text}
