"""How pages say things: a word, a shape and a tone for each status, and figures as people read them."""

from dataclasses import dataclass

from surefoot.fleet.adoption import Standing
from surefoot.fleet.model import KeyState, RolloutState, Status
from surefoot.rollout.durations import span_text
from surefoot.wire.codes import CODES, NAMED_REFUSALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word with its tone; the tone gives shape and colour, so that neither stands alone."""

    text: str
    tone: str


GOOD, BAD, CAREFUL, BUSY, QUIET = "good", "bad", "careful", "busy", "quiet"
STATUS = {
    Status.INSTALLED: Word(text="installed", tone=GOOD),
    Status.ROLLED_BACK: Word(text="rolled back", tone=BAD),
    Status.REFUSED: Word(text="refused", tone=BAD),
    Status.DRIFTED: Word(text="drifted", tone=CAREFUL),
    Status.SILENT: Word(text="silent", tone=CAREFUL),
    Status.ON_TRIAL: Word(text="on trial", tone=BUSY),
    Status.DOWNLOADING: Word(text="downloading", tone=BUSY),
    Status.VERIFYING: Word(text="verifying", tone=BUSY),
    Status.REBOOTING: Word(text="rebooting", tone=BUSY),
    Status.WAITING: Word(text="waiting", tone=QUIET),
    Status.UNKNOWN: Word(text="unknown", tone=QUIET),
    Status.SUPERSEDED: Word(text="superseded", tone=QUIET),
    Status.UNASSIGNED: Word(text="unassigned", tone=QUIET),
}
STATE = {
    RolloutState.RUNNING: Word(text="running", tone=BUSY),
    RolloutState.PAUSED: Word(text="paused", tone=CAREFUL),
    RolloutState.HALTED: Word(text="halted", tone=BAD),
    RolloutState.FINISHED: Word(text="finished", tone=GOOD),
}
KEY = {
    KeyState.ACTIVE: Word(text="active", tone=GOOD),
    KeyState.RETIRING: Word(text="retiring", tone=CAREFUL),
    KeyState.REVOKED: Word(text="revoked", tone=BAD),
    KeyState.DESTROYED: Word(text="destroyed", tone=QUIET),
}
STANDING = {
    Standing.ADOPTED: Word(text="adopted", tone=GOOD),
    Standing.STRAGGLER: Word(text="straggler", tone=CAREFUL),
    Standing.SILENT: Word(text="silent", tone=BAD),
    Standing.EXCLUDED: Word(text="excluded", tone=QUIET),
}


def refusal(code: str | None) -> str:
    """Return the sentence of a code, or nothing where there is none."""
    return "" if code is None else NAMED_REFUSALS.get(code) or CODES.get(code, "")


def duration(seconds: float | None) -> str:
    """Return a length of time as people read it, which may not be known yet."""
    return "not known yet" if seconds is None else span_text(seconds)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share of 1 as a percentage; a share that is not whole never reads 0 or 100."""
    if share is None:
        return "not known yet"
    step = 10.0**-digits
    shown = share * 100
    if 0 < shown < step:
        return f"under {step:.{digits}f} %"
    if 100 - step < shown < 100:
        return f"over {100 - step:.{digits}f} %"
    return f"{shown:.{digits}f} %" if shown % 1 else f"{shown:.0f} %"


def number(value: int | None) -> str:
    """Return a count with its thousands apart."""
    return "not known yet" if value is None else f"{value:,}"


def plural(count: int, noun: str = "robot") -> str:
    """Return a count with its noun."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def size(size_bytes: int) -> str:
    """Return a size in bytes as people read it."""
    if size_bytes < 10_000:
        return f"{size_bytes:,} bytes"
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1_000_000 else f"{size_bytes / 1e3:.0f} kB"
