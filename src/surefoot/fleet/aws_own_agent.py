"""What Surefoot's own agent says in a job's status details: facts, which need no reading between the lines."""

from dataclasses import dataclass

from surefoot.wire import limits
from surefoot.wire import report as wire
from surefoot.wire.fields import HEX_DIGITS, ID_CHARS, PRINTABLE_CHARS
from surefoot.wire.report import SlotReport

# It has been told of the job and has not begun.
OFFERED = "offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWord:
    """What runs, and the assignment's state, None where there is none yet; `attempts` is how often it was tried."""

    running: SlotReport
    state: str | None
    code: str | None
    attempts: int


def own_word(details: dict[str, str], slot: str) -> OwnWord | None:
    """Return what status details say if our agent wrote them, else None."""
    state, digest = details.get("state", ""), details.get("digest", "")
    if len(digest) != 64 or digest.strip(HEX_DIGITS) or state not in (OFFERED, *wire.ASSIGNMENT_STATES):
        return None
    version, code, attempts = details.get("version"), details.get("code"), details.get("attempts", "")
    if version is not None and (len(version) > limits.NAME_CHARS_MAX or version.strip(PRINTABLE_CHARS)):
        version = None
    if code is not None and (len(code) > limits.CODE_CHARS_MAX or code.strip(ID_CHARS)):
        code = None
    running_state = wire.TRIAL if state in (wire.TRIAL, wire.CONFIRMING) else wire.CONFIRMED
    return OwnWord(
        running=SlotReport(slot=slot, version=version, digest=digest, state=running_state),
        state=None if state == OFFERED else state,
        code=code,
        attempts=int(attempts) if len(attempts) < 4 and attempts.isascii() and attempts.isdigit() else 0,
    )
