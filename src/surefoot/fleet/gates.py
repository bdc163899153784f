"""The gate of a rollout over its rows: evidence is taken in once, and what it says goes to `rollout.decide`.

How updates end is taken in as the difference to what was taken in before, what robots tell of their health once for
each quarter of an hour. Both come from surveys, taken beside the looks, so a look costs the same for any number of
robots; one that was lost, and is made again by another leader, takes in the same.
"""

import math
from dataclasses import dataclass, replace

from surefoot.fleet.alarms import accept_alarms, open_alarm, raise_alarm
from surefoot.fleet.gate_rows import Point, RolloutCurve, RolloutEvidence
from surefoot.fleet.gate_survey import GateSurvey
from surefoot.fleet.gather import Tally
from surefoot.fleet.health_place import Counting
from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.model import Rollout
from surefoot.fleet.ports import Rows
from surefoot.rollout import gate, ramp
from surefoot.rollout.decide import UNWATCHED, Watch
from surefoot.rollout.gate import Ended, Evidence, GateFacts
from surefoot.rollout.metrics import DEFINITIONS, Kind, Metric
from surefoot.rollout.outcomes import Outcomes

# A quarter is surveyed within the next one. Whatever is older came in too long ago to say that it still does.
FED_S = 2 * QUARTER_S + 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What the gate says at one look.

    The phase `soaks` while evidence comes in. So many robots had `installed` the release at the last survey. Up to
    `offers_max` robots may be offered it, None for all.
    """

    watch: Watch = UNWATCHED
    soaks: bool = True
    restarts_soak: bool = False
    installed: int = 0
    offers_max: int | None = None


def is_gated(rollout: Rollout) -> bool:
    """Whether a gate watches the rollout; on the way back nothing does, and nothing waits."""
    return rollout.rolls_back is None and bool(rollout.plan.gates.metrics)


def measure(
    rows: Rows,
    rollout: Rollout,
    tally: Tally,
    found: GateSurvey | None,
    now_s: float,
    counting: Counting | None = None,
) -> Gauge:
    """Take in what is new and return what the gate says; `found` is the newest survey, None while there is none.

    `counting` is the tick's, where there is one.
    """
    if rollout.rolls_back is not None:
        return Gauge()
    for tripped in () if found is None else found.tripped:
        raise_alarm(rows, rollout.rollout_id, tripped, now_s)
    alarm = open_alarm(rows, rollout.rollout_id)
    before = evidence_of(rows, rollout)
    known = before
    if is_gated(rollout) and found is not None:
        known = _told(rollout, before, found, now_s)
        known = replace(known, evidence=_ended(rollout, known.evidence, tally, found.installed))
    if known != before or rows.get(RolloutEvidence, rollout.rollout_id) is None:
        rows.put(known)
    is_new = known.quarter != before.quarter
    if is_new:
        _draw(rows, known, found, now_s)
    gates = rollout.plan.gates
    reading = gate.judge(known.evidence, soaked=True, alpha=gates.false_halt_budget, margins=gates.margins)
    note = _note(rollout, known, counting or Counting(rows), now_s)
    return Gauge(
        watch=Watch(
            alarm=None if alarm is None else alarm.sentence,
            answer=reading.answer,
            sentence=reading.sentence,
            note=note if found is None or not found.not_ok else _not_ok(found),
            accepted=known.accepted,
        ),
        soaks=not note,
        installed=0 if found is None else found.installed,
        restarts_soak=is_new and found is not None and bool(found.not_ok),
        offers_max=_offers_max(rollout, known, tally, found),
    )


def accept(rows: Rows, rollout: Rollout, failed: tuple[str, ...]) -> None:
    """Begin the evidence anew, as a person lets a halted rollout go on: who `failed` and what was seen is accepted."""
    accept_alarms(rows, rollout.rollout_id)
    known = evidence_of(rows, rollout)
    named = {robot_id for phase in rollout.plan.phases for robot_id in phase.robots}
    accepted = tuple(sorted(named.intersection(failed)))
    anew = gate.start(gate.watched(known.evidence))
    counts = {
        metric: Outcomes(failed=seen.failed, ended=seen.ended) for metric, seen in known.evidence.outcomes.items()
    }
    evidence = replace(anew, outcomes=counts)
    rows.put(replace(known, evidence=evidence, phases_opened=rollout.phase, accepted=accepted))


def evidence_of(rows: Rows, rollout: Rollout) -> RolloutEvidence:
    """Return the evidence that a rollout has, none yet at its beginning."""
    known = rows.get(RolloutEvidence, rollout.rollout_id)
    if known is not None:
        return known
    return RolloutEvidence(rollout_id=rollout.rollout_id, evidence=gate.start(rollout.plan.gates.metrics))


def _told(rollout: Rollout, known: RolloutEvidence, found: GateSurvey, now_s: float) -> RolloutEvidence:
    """Return the evidence with what a survey found, if that is of a later quarter than the last."""
    known = _opened(rollout, known, found.robots)
    if found.quarter <= known.quarter:
        return known
    facts = found.facts
    if not known.hears and not found.hears:
        # Reports alone tell too little of who could have had an event.
        facts = GateFacts(hours=facts.hours)
    ended_at_s = (found.quarter + 1) * QUARTER_S
    return replace(
        known,
        evidence=gate.look(known.evidence, facts, rollout.plan.gates.margins),
        quarter=found.quarter,
        hears=known.hears or found.hears,
        fed_until_s=min(ended_at_s, now_s) if found.is_fed else known.fed_until_s,
    )


def _opened(rollout: Rollout, known: RolloutEvidence, robots: int) -> RolloutEvidence:
    """Return the evidence with every phase begun whose door is open."""
    while known.phases_opened <= rollout.phase:
        reached = [_reached(rollout, phase, robots) for phase in (known.phases_opened - 1, known.phases_opened)]
        more, gates = max(0, reached[1] - reached[0]), rollout.plan.gates
        evidence = gate.open_phase(known.evidence, more, gates.false_halt_budget, gates.margins)
        known = replace(known, evidence=evidence, phases_opened=known.phases_opened + 1)
    return known


def _reached(rollout: Rollout, phase: int, robots: int) -> int:
    """Return how many robots the phases up to this one reach, of so many."""
    if phase < 0:
        return 0
    opened = rollout.plan.phases[: phase + 1]
    named = {robot_id for one in opened for robot_id in one.robots}
    return min(robots, max(len(named), math.ceil(robots * opened[-1].percent / 100)))


def _ended(rollout: Rollout, evidence: Evidence, tally: Tally, installed: int) -> Evidence:
    """Return the evidence with the updates whose end became known since the last look."""
    if not evidence.outcomes:
        return evidence
    failed = len(tally.failed) - tally.silent
    totals = {Metric.INSTALL_FAILED: (failed, installed + failed)}
    # Who failed has come back to say so; who refused never left.
    totals[Metric.NOT_RETURNED] = (tally.lost, installed + failed + tally.lost)
    ended = {}
    for metric, (failed_now, ended_now) in totals.items():
        seen = evidence.outcomes.get(metric)
        if seen is None:
            continue
        # An end may turn out otherwise and is not taken back: the next ones are counted once there are more again.
        more_failed = max(0, failed_now - seen.failed)
        more = max(more_failed, ended_now - seen.ended)
        if more:
            ended[metric] = Ended(failed=more_failed, ended=more)
    if not ended:
        return evidence
    return gate.look(evidence, GateFacts(hours=0.0, outcomes=ended), rollout.plan.gates.margins)


def _draw(rows: Rows, known: RolloutEvidence, found: GateSurvey | None, now_s: float) -> None:
    curve = rows.get(RolloutCurve, known.rollout_id) or RolloutCurve(rollout_id=known.rollout_id)
    log_evidence = gate.log_evidence(known.evidence)
    point = Point(at_s=now_s, log_pooled=gate.log_pooled(known.evidence), log_evidence=log_evidence)
    rows.put(curve.plus(point))


def _note(rollout: Rollout, known: RolloutEvidence, counting: Counting, now_s: float) -> str:
    """Return what the soak lacks that would be evidence, "" if nothing."""
    if all(DEFINITIONS[metric].kind is Kind.OUTCOME for metric in rollout.plan.gates.metrics) or not known.hears:
        return ""
    counts_for = counting.rollout_id(rollout.sku)
    if counts_for not in (None, rollout.rollout_id):
        return f"It stands still: what robots tell of their health counts for rollout {counts_for}, a newer one."
    if now_s - known.fed_until_s <= FED_S:
        return ""
    return "It stands still: no updated robot has told of its health lately."


def _not_ok(found: GateSurvey) -> str:
    names = ", ".join(found.not_ok)
    return (
        f"It began anew: {names} told of warnings or errors, and the phase passes when all it names are OK throughout."
    )


def _offers_max(rollout: Rollout, known: RolloutEvidence, tally: Tally, found: GateSurvey | None) -> int | None:
    if rollout.plan.ramp is None:
        return None
    if found is None:
        return rollout.offers_max
    allowed = ramp.offers_max(
        rollout.plan.ramp,
        offered=found.offered,
        pending=max(0, found.offered - found.settled - tally.lost - tally.silent),
        settled=found.settled,
        log_pooled=gate.log_pooled(known.evidence, tally.missing, rollout.plan.gates.margins),
    )
    # Counting offers costs; once all robots may have theirs nobody needs to.
    return None if allowed >= found.robots and tally.missing + tally.lost == 0 else allowed
