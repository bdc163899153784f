"""What a halt brings with it: the image taken back, and robots led back, as the plan says or as a person asks."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from surefoot.fleet.alarms import AFTERCARE_S, open_alarm
from surefoot.fleet.gate_view import gate_view
from surefoot.fleet.incidents import LineKind, add_line, open_incident_of
from surefoot.fleet.model import Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.recall import lead_back, recall_release
from surefoot.fleet.rollout_history import ENGINE
from surefoot.fleet.rollouts import OPERATOR, find_rollout, halt_rollout, require_reason
from surefoot.rollout.evidence import weighed
from surefoot.wire.errors import Refused

SALT_BYTES = 16
FINDINGS_TOLD_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a halt is to do beyond the halt: whether to lead robots back, and whether to take the release back."""

    roll_back: bool
    recall: bool


def take_back(rows: Rows, rollout: Rollout, now_s: float, public_url: str) -> None:
    """Do what the plan of a rollout that just halted wants done, in the transaction of the halt.

    Robots that went back by themselves do not run the release any more, so nothing leads them back again.
    """
    for fact in _evidence(rows, rollout):
        _tell(rows, rollout, fact, now_s)
    wish = Wish(roll_back=rollout.plan.rollback_on_halt, recall=rollout.plan.recall_on_halt)
    _do(rows, rollout, wish, rollout.reason, ENGINE, now_s, public_url)


def halt_as_asked(
    rows: Rows, rollout_id: str, reason: str, wish: Wish, now_s: float, who: str = OPERATOR, public_url: str = ""
) -> None:
    """Halt a rollout as a person asks, and do what they wish beyond that; a halted one may be asked for the rest.

    The halt stands whether or not there is a release to go back to; its incident tells.

    Raises:
        Refused: `not-found-rollout`, `refused-rollout-state`, `refused-reason-missing`.
    """
    require_reason(reason)
    halted = find_rollout(rows, rollout_id)
    asks_more = wish.roll_back or wish.recall
    if halted.rolls_back is not None and asks_more:
        detail = f"Rollout {rollout_id} leads robots back itself: halt it alone, or recall the release that it brings."
        raise Refused("refused-rollout-state", detail)
    if halted.state is not RolloutState.HALTED or not asks_more:
        halted = halt_rollout(rows, rollout_id, reason, now_s, who)
    _do(rows, halted, wish, reason, who, now_s, public_url)


def halt_unasked(rows: Rows, rollout: Rollout, now_s: float, public_url: str) -> Rollout | None:
    """Halt a paused or finished rollout where a trigger fired, and return it then; nothing else of it is judged.

    Behind the end nobody is led back by that: the whole fleet runs the release, and a person decides. One robot that
    was updated alone is.
    """
    if rollout.state not in (RolloutState.PAUSED, RolloutState.FINISHED):
        return None
    alarm = open_alarm(rows, rollout.rollout_id)
    # Nobody halts a rollout for what was seen while no engine looked, long ago.
    if alarm is None or now_s - alarm.at_s > AFTERCARE_S:
        return None
    # A rollout for one robot is finished before anything shows of how it runs the release.
    finished = rollout.state is RolloutState.FINISHED and rollout.only_robot_id is None
    late = "The rollout had finished: its release is not stable any more, and nobody is led back."
    reason = f"{alarm.sentence} {late if finished else 'Halted.'}"
    halted = halt_rollout(rows, rollout.rollout_id, reason, now_s, ENGINE)
    if not finished:
        take_back(rows, halted, now_s, public_url)
    return halted


def _do(rows: Rows, rollout: Rollout, wish: Wish, reason: str, who: str, now_s: float, public_url: str) -> None:
    release = rows.get(Release, rollout.release_id)
    if release is None:
        return
    if wish.recall:
        salt = _salt(rollout)
        recall_release(rows, release.release_id, reason, now_s, public_url=public_url, who=who, new_salt=salt)
        release = rows.get(Release, rollout.release_id) or release
    if wish.roll_back and not _went_back(rows, rollout):
        try:
            lead_back(rows, release, who, _salt(rollout), now_s, rollout.only_robot_id)
        except Refused as error:
            # The halt stands, whether or not there is anything to go back to.
            _tell(rows, rollout, error.message, now_s)


def _went_back(rows: Rows, rollout: Rollout) -> bool:
    """Whether the one robot that a rollout is for does not run the release, by itself."""
    only = rollout.only_robot_id
    assignment = None if only is None else rows.assignment_for(rollout.rollout_id, only)
    return assignment is not None and assignment.status in (Status.ROLLED_BACK, Status.REFUSED)


def _evidence(rows: Rows, rollout: Rollout) -> list[str]:
    """Return the alarms that nobody has accepted, and what speaks most against the release."""
    view = gate_view(rows, rollout.rollout_id)
    if view is None:
        return []
    against = [found for found in view.metrics if found.log_evidence > 0][:FINDINGS_TOLD_MAX]
    alarms = [alarm.sentence for alarm in view.alarms if alarm.is_open][:FINDINGS_TOLD_MAX]
    return [*alarms, *(f"{found.fact}: {weighed(found.log_evidence)}." for found in against)]


def _tell(rows: Rows, rollout: Rollout, text: str, now_s: float) -> None:
    incident = open_incident_of(rows, rollout.rollout_id)
    if incident is not None:
        add_line(rows, incident, LineKind.FACT, ENGINE, text, now_s)


def _salt(rollout: Rollout) -> Callable[[], bytes]:
    # Drawn from the rollout's own, so that a halt that was lost and is made again is the same halt.
    return lambda: sha256(b"back" + rollout.salt).digest()[:SALT_BYTES]
