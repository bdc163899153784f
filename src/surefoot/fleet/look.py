"""One tick of the engine over the rows: look at each rollout, decide, and keep what was decided."""

from dataclasses import replace

from surefoot.fleet.gather import Count, gather, judge_again, survey
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import ENGINE, RolloutAction, note_change
from surefoot.rollout.decide import Decision, Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.wire.errors import Damaged

UNFINISHED = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.HALTED)
# Longer than this between two looks and the server was down: nobody could report, so nothing is concluded from it.
OUTAGE_S = 300.0


def tick(rows: Rows, now_s: float) -> list[str]:
    """Run the engine once over every rollout that needs it; return a sentence for each thing that changed."""
    changes = [look_at(rows, rollout_id, now_s) for rollout_id in to_look_at(rows)]
    return [change for change in changes if change is not None]


def to_look_at(rows: Rows) -> list[str]:
    """Return the ids of the rollouts that are not finished, and of the finished ones that robots update by.

    The latter bring robots that joined late what the others have.
    """
    standing = [rollout for state in UNFINISHED for rollout in rows.find(Rollout, newest_first=True, state=state)]
    return list(dict.fromkeys([*(rollout.rollout_id for rollout in standing), *rows.rollouts_with_open()]))


def look_at(rows: Rows, rollout_id: str, now_s: float, count: Count = survey) -> str | None:
    """Run the engine once over one rollout; return the sentence for what changed, None when nothing did.

    `count` may know the robots without an assignment from earlier, as going through all of them takes long.
    """
    stored = rows.get(Rollout, rollout_id)
    if stored is None:
        return None
    rollout, release = watched(stored, now_s), _release_of(rows, stored)
    if stored.state is not RolloutState.RUNNING:
        # Nothing is decided, but whoever fell silent gives its place back.
        judge_again(rows, rollout, release, now_s)
        rows.put(rollout)
        return None
    facts = gather(rows, rollout, release, now_s, count)
    if facts is None:
        rows.put(rollout)
        return None
    rollout = replace(rollout, soaked_s=_soaked_s(stored, facts, now_s))
    standing = Standing(phase=rollout.phase, soaked_s=rollout.soaked_s)
    rollout, action = _apply(rollout, decide(rollout.plan, standing, facts), now_s)
    rows.put(rollout)
    # A countdown in the reason is worth storing, but not worth telling each time it moves.
    if action is None:
        return None
    # That robots went back to it says nothing of a release.
    if action is RolloutAction.FINISHED and rollout.rolls_back is None:
        rows.put(replace(release, stable=True))
    note_change(rows, rollout, action, ENGINE, now_s)
    return f"Rollout {rollout.rollout_id}: {rollout.reason}"


def _is_unbroken(rollout: Rollout, now_s: float) -> bool:
    """Whether the engine looked lately: after an outage, or with a clock set back, time has passed unwatched."""
    return 0 <= now_s - rollout.looked_at_s <= OUTAGE_S


def watched(rollout: Rollout, now_s: float) -> Rollout:
    """Return the rollout as looked at now."""
    watched_since_s = rollout.watched_since_s if _is_unbroken(rollout, now_s) else now_s
    return replace(rollout, looked_at_s=now_s, watched_since_s=watched_since_s)


def _soaked_s(rollout: Rollout, facts: RolloutFacts, now_s: float) -> float:
    """Return how long the phase has soaked: time that was watched, with nobody updating, since the last one settled."""
    if facts.updating or facts.unreached:
        return 0.0
    watched_s = now_s - rollout.looked_at_s if _is_unbroken(rollout, now_s) else 0.0
    return min(rollout.soaked_s + watched_s, now_s - min(facts.settled_at_s, now_s))


def _apply(rollout: Rollout, decision: Decision, now_s: float) -> tuple[Rollout, RolloutAction | None]:
    said = replace(rollout, reason=decision.reason)
    match decision:
        case Wait():
            return said, None
        case OpenPhase():
            opened = replace(said, phase=decision.phase, phase_opened_at_s=now_s, soaked_s=0.0)
            return opened, RolloutAction.PHASE_OPENED
        case Halt():
            return replace(said, state=RolloutState.HALTED), RolloutAction.HALTED
        case Finish():
            return replace(said, state=RolloutState.FINISHED), RolloutAction.FINISHED


def _release_of(rows: Rows, rollout: Rollout) -> Release:
    release = rows.get(Release, rollout.release_id)
    if release is None:
        raise Damaged("damaged-assignment", f"Rollout {rollout.rollout_id} has no release: restore a backup.")
    return release
