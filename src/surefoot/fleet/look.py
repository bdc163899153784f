"""One tick of the engine over the rows: look at each rollout, decide, and keep what was decided."""

from collections.abc import Callable
from dataclasses import replace

from surefoot.fleet.alarms import Alarm
from surefoot.fleet.approvals import next_may_open
from surefoot.fleet.emergency import halt_unasked, take_back
from surefoot.fleet.gate_survey import GateSurvey, survey_gate
from surefoot.fleet.gates import Gauge, measure
from surefoot.fleet.gather import Count, Tally, count_installed, gather, judge_again, survey
from surefoot.fleet.health_place import Counting
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.one_robot import overtaken_by
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import ENGINE, RolloutAction, note_change
from surefoot.fleet.watched import OUTAGE_S, is_unbroken, watched
from surefoot.rollout.decide import Decision, Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide, halts
from surefoot.wire.errors import Damaged

__all__ = ["OUTAGE_S", "look_at", "tick", "to_look_at"]

UNFINISHED = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.HALTED)

# Surveys a rollout for its gate, or returns None while that is not done yet.
GateCount = Callable[[Rows, Rollout, float], GateSurvey | None]


def tick(rows: Rows, now_s: float, public_url: str = "") -> list[str]:
    """Run the engine once over every rollout that needs it; return a sentence for each thing that changed."""
    counting = Counting(rows)
    changes = [
        look_at(rows, rollout_id, now_s, public_url=public_url, counting=counting) for rollout_id in to_look_at(rows)
    ]
    return [change for change in changes if change is not None]


def to_look_at(rows: Rows) -> list[str]:
    """Return the ids of the rollouts that are not finished, and of the finished ones that robots update by.

    The latter bring robots that joined late what the others have. So are those where a trigger fired behind the end.
    """
    standing = [rollout for state in UNFINISHED for rollout in rows.find(Rollout, newest_first=True, state=state)]
    alarmed = (alarm.rollout_id for alarm in rows.find(Alarm, is_open=True))
    return list(dict.fromkeys([*(rollout.rollout_id for rollout in standing), *rows.rollouts_with_open(), *alarmed]))


def look_at(
    rows: Rows,
    rollout_id: str,
    now_s: float,
    count: Count = survey,
    count_gate: GateCount = survey_gate,
    *,
    public_url: str = "",
    counting: Counting | None = None,
) -> str | None:
    """Run the engine once over one rollout; return the sentence for what changed, None when nothing did.

    `count` and `count_gate` may know the robots from earlier, as going through all of them takes long. Files are served
    at `public_url`, where a halt may have copies of them purged. `counting` is shared by the looks of one tick.
    """
    stored = rows.get(Rollout, rollout_id)
    if stored is None:
        return None
    rollout, release = watched(stored, now_s), _release_of(rows, stored)
    tally = judge_again(rows, rollout, release, now_s)
    if stored.state is not RolloutState.RUNNING:
        # Nothing is judged, but whoever fell silent gives its place back, and triggers stay triggers.
        rows.put(rollout)
        halted = halt_unasked(rows, rollout, now_s, public_url)
        return None if halted is None else f"Rollout {rollout_id}: {halted.reason}"
    gauge = measure(rows, rollout, tally, count_gate(rows, rollout, now_s), now_s, counting)
    rollout = replace(rollout, offers_max=gauge.offers_max)
    decision = _decision(rows, stored, rollout, release, tally, gauge, count, now_s)
    if decision is None:
        rows.put(rollout)
        return None
    rollout, action = _apply(decision[0], decision[1], now_s)
    rows.put(rollout)
    # A countdown in the reason is worth storing, but not worth telling each time it moves.
    if action is None:
        return None
    # That robots went back to it, or that one robot runs it, says nothing of a release.
    if action is RolloutAction.FINISHED and rollout.rolls_back is None and rollout.only_robot_id is None:
        rows.put(replace(release, stable=True))
    note_change(rows, rollout, action, ENGINE, now_s)
    if isinstance(decision[1], Halt) and decision[1].by_evidence and rollout.rolls_back is None:
        take_back(rows, rollout, now_s, public_url)
    return f"Rollout {rollout.rollout_id}: {rollout.reason}"


def _decision(
    rows: Rows,
    stored: Rollout,
    rollout: Rollout,
    release: Release,
    tally: Tally,
    gauge: Gauge,
    count: Count,
    now_s: float,
) -> tuple[Rollout, Decision] | None:
    """Return the rollout with its soak and what to do; None while too little is known to decide."""
    halt = halts(rollout.plan, rollout.phase, tally.failed, gauge.watch)
    if halt is not None:
        return rollout, halt
    # Whoever installed since the last survey matters where that found nobody, and where the phase is about to pass.
    facts = gather(rows, rollout, release, now_s, count, tally, gauge.installed or None)
    if facts is None:
        return None
    rollout = replace(rollout, soaked_s=_soaked_s(stored, facts, gauge, now_s))
    standing = Standing(
        phase=rollout.phase,
        soaked_s=rollout.soaked_s,
        next_may_open=next_may_open(rows, rollout),
        leads_back=rollout.rolls_back is not None,
        is_overtaken=overtaken_by(rows, rollout) is not None,
    )
    decision = decide(rollout.plan, standing, facts, gauge.watch)
    if gauge.installed and isinstance(decision, OpenPhase | Finish):
        facts = replace(facts, installed=count_installed(rows, rollout))
        decision = decide(rollout.plan, standing, facts, gauge.watch)
    return rollout, decision


def _soaked_s(rollout: Rollout, facts: RolloutFacts, gauge: Gauge, now_s: float) -> float:
    """Return how long the phase has soaked: time that was watched, with nobody updating, since the last one settled.

    Where robots tell of their health, only time counts in which updated ones did.
    """
    if facts.updating or facts.unreached or gauge.restarts_soak:
        return 0.0
    watched_s = now_s - rollout.looked_at_s if gauge.soaks and is_unbroken(rollout, now_s) else 0.0
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
