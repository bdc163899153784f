"""The rollout engine: what happens next, from what is true now.

`decide` is pure: killed anywhere and asked again, it decides the same. A phase passes when every robot it reached has
settled, and the whole of its soak went by after the last of them did; robots that failed beyond the plan's limit halt
the rollout. Statistical gates against a control group come on top of this rule, not in place of it.
"""

from dataclasses import dataclass

from surefoot.rollout.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a running rollout stands: its open phase, and how long that was watched with every robot settled."""

    phase: int
    soaked_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFacts:
    """What is true of the robots the open phases reach.

    `updating` have an assignment that has not ended; `unreached` are heard from but have none yet; `unheard` have none
    and say nothing; `failed` names those that refused, rolled back for good or fell silent; `settled_at_s` is when the
    last one settled.
    """

    installed: int
    updating: int
    unreached: int
    unheard: int
    failed: tuple[str, ...]
    settled_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing changes yet."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPhase:
    """The next phase's door opens."""

    phase: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """No robot is offered the release any more until a person resumes."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The release reached the whole fleet and is stable."""

    reason: str


Decision = Wait | OpenPhase | Halt | Finish


def decide(plan: Plan, standing: Standing, facts: RolloutFacts) -> Decision:
    """Return the one decision that these facts call for."""
    phase = plan.phases[standing.phase]
    is_last = standing.phase + 1 == len(plan.phases)
    if len(facts.failed) > plan.failures_max:
        return Halt(reason=_failures(plan, facts))
    if facts.updating:
        return Wait(reason=f"{_robots(facts.updating)} still updating in phase {phase.name}.")
    if facts.unreached:
        return Wait(reason=f"{_robots(facts.unreached)} expected to ask for an update in phase {phase.name}.")
    # Who is away does not hold up the others; but nothing passes on the word of nobody, nor without who was named.
    if facts.unheard and (phase.robots or not facts.installed):
        return Wait(reason=f"{_robots(facts.unheard)} not heard from in phase {phase.name}.")
    if (is_last or phase.robots) and not facts.installed:
        return Wait(reason="No robot has installed the release yet.")
    if standing.soaked_s < phase.soak_s:
        return Wait(reason=f"Phase {phase.name} soaks for another {phase.soak_s - standing.soaked_s:.0f} s.")
    reached = f"Phase {phase.name} passed: {facts.installed} installed, {len(facts.failed)} failed"
    if is_last:
        return Finish(reason=f"{reached}; the release is stable.")
    following = plan.phases[standing.phase + 1].name
    return OpenPhase(phase=standing.phase + 1, reason=f"{reached}; phase {following} opens.")


def _robots(count: int) -> str:
    return "1 robot is" if count == 1 else f"{count} robots are"


def _failures(plan: Plan, facts: RolloutFacts) -> str:
    named = ", ".join(facts.failed[:5]) + (", …" if len(facts.failed) > 5 else "")
    return f"{len(facts.failed)} failed ({named}), the plan allows {plan.failures_max}. Halted until a person resumes."
