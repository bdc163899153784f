"""The rollout engine: what happens next, from what is true now.

`decide` is pure: killed anywhere and asked again, it decides the same. A phase passes when every robot it reached has
settled, the whole of its soak went by after the last of them did, and nothing in the gate's evidence speaks against the
release. A trigger, evidence that the release is worse, a failure of a robot that the phase names, or more failures than
the plan counts halt the rollout.
"""

from dataclasses import dataclass

from surefoot.rollout.durations import span_text
from surefoot.rollout.evidence import Answer
from surefoot.rollout.plan import Phase, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What triggers and gates say.

    `alarm` is the sentence of a trigger that fired, `answer` and `sentence` are the gate's as if the phase had soaked,
    and `note` says what the soak lacks, "" if nothing. `accepted` are robots whose failure a person accepted.
    """

    alarm: str | None = None
    answer: Answer = Answer.PASSED
    sentence: str = ""
    note: str = ""
    accepted: tuple[str, ...] = ()


UNWATCHED = Watch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a running rollout stands: its open phase, and how long that was watched with every robot settled.

    `next_may_open` unless the next phase lacks a person's approval. It `leads_back` where it brings robots back from a
    release: then it says nothing of the release that it brings. It `is_overtaken` where a newer rollout took the one
    robot that it is for.
    """

    phase: int
    soaked_s: float
    next_may_open: bool = True
    leads_back: bool = False
    is_overtaken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFacts:
    """What is true of the robots the open phases reach.

    `updating` have an assignment that has not ended; `unreached` are heard from but have none yet, `untrusting` of them
    as they do not trust the key that signed the release; `unheard` have none and say nothing; `failed` names those that
    refused, rolled back for good or fell silent; `settled_at_s` is when the last one settled. Of those `installed` so
    many were `led_back` since, and run the release no more.
    """

    installed: int
    updating: int
    unreached: int
    unheard: int
    failed: tuple[str, ...]
    settled_at_s: float
    led_back: int = 0
    untrusting: int = 0

    @property
    def running(self) -> int:
        """How many have installed the release and run it still."""
        return max(0, self.installed - self.led_back)


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
    """No robot is offered the release any more until a person resumes.

    `by_evidence` tells that a trigger or a gate halts: then the plan may lead robots back, too.
    """

    reason: str
    by_evidence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The release reached the whole fleet and is stable; or all robots are back."""

    reason: str


_UNTIL = "Halted until a person resumes."
# What a reason ends in that names a halt itself, for whoever says so already.
HALT_ENDINGS = (f" {_UNTIL}", " Halted.")

Decision = Wait | OpenPhase | Halt | Finish


def decide(plan: Plan, standing: Standing, facts: RolloutFacts, watch: Watch = UNWATCHED) -> Decision:
    """Return the one decision that these facts call for."""
    phase = plan.phases[standing.phase]
    is_last = standing.phase + 1 == len(plan.phases)
    halt = halts(plan, standing.phase, facts.failed, watch)
    if halt is not None:
        return halt
    if standing.is_overtaken:
        return Finish(reason="A newer rollout took the robot: nothing is left to do here.")
    if facts.updating:
        return Wait(reason=f"{_robots(facts.updating)} still updating in phase {phase.name}.")
    if facts.unreached:
        return Wait(reason=_unreached(phase, facts))
    if facts.led_back and not facts.running:
        return Wait(reason=_stands_still(facts.led_back))
    # Who is away does not hold up the others; but nothing passes on the word of nobody, nor without who was named.
    if facts.unheard and (phase.robots or not facts.running):
        return Wait(reason=f"{_robots(facts.unheard)} not heard from in phase {phase.name}.")
    if (is_last or phase.robots) and not facts.running:
        nobody = "No robot is back yet." if standing.leads_back else "No robot has installed the release yet."
        return Wait(reason=nobody)
    if standing.soaked_s < phase.soak_s:
        return Wait(reason=_soak(phase, standing, watch))
    if watch.answer is not Answer.PASSED:
        return Wait(reason=watch.sentence)
    reached = f"Phase {phase.name} passed: {facts.running} installed, {len(facts.failed)} failed"
    if plan.only_robot_id is not None and not standing.leads_back:
        return Finish(reason=f"Robot {plan.only_robot_id} has installed the release.")
    if is_last:
        return Finish(reason=_ended_way_back(facts) if standing.leads_back else f"{reached}; the release is stable.")
    following = plan.phases[standing.phase + 1].name
    if not standing.next_may_open:
        return Wait(reason=f"{reached}; phase {following} opens once a person approves it.")
    return OpenPhase(phase=standing.phase + 1, reason=f"{reached}; phase {following} opens.")


def halts(plan: Plan, phase: int, failed: tuple[str, ...], watch: Watch) -> Halt | None:
    """Return the halt that these facts call for, whatever else is true; None when they call for none."""
    if watch.alarm is not None:
        return Halt(reason=f"{watch.alarm} Halted.", by_evidence=True)
    if not plan.allows(len(failed)):
        return Halt(reason=_failures(plan, failed))
    named = set(plan.phases[phase].robots).intersection(failed).difference(watch.accepted)
    # Of so few robots statistics have nothing to say: each of them has to come through.
    if plan.failures_max is None and named:
        return Halt(
            reason=f"{min(named)} failed, which phase {plan.phases[phase].name} names. {_UNTIL}", by_evidence=True
        )
    if watch.answer is Answer.TRIPPED:
        return Halt(reason=watch.sentence, by_evidence=True)
    return None


def _soak(phase: Phase, standing: Standing, watch: Watch) -> str:
    soaks = f"Phase {phase.name} soaks for another {span_text(phase.soak_s - standing.soaked_s)}."
    return f"{soaks} {watch.note}" if watch.note else soaks


def _unreached(phase: Phase, facts: RolloutFacts) -> str:
    asks, key = facts.unreached - facts.untrusting, ""
    if facts.untrusting:
        who = "1 robot does" if facts.untrusting == 1 else f"{facts.untrusting} robots do"
        them = "it" if facts.untrusting == 1 else "them"
        key = (
            f"{who} not trust the key that signed the release: bring {them} a transition release first, or pin {them}."
        )
    asked = f"{_robots(asks)} expected to ask for an update in phase {phase.name}." if asks else ""
    return f"{asked} {key}".strip()


def _ended_way_back(facts: RolloutFacts) -> str:
    others = len(facts.failed) + facts.unheard
    if not others:
        who = "The one robot is" if facts.running == 1 else f"All {facts.running} robots are"
        return f"{who} back on an earlier release."
    said = f"{facts.running} of {facts.running + others} robots back on an earlier release, {len(facts.failed)} failed"
    return f"{said}; {_robots(facts.unheard)} not heard from and led back later." if facts.unheard else f"{said}."


def _stands_still(led_back: int) -> str:
    who = "the one robot" if led_back == 1 else f"all {led_back} robots"
    return (
        f"It stands still: {who} that had installed the release went back after the halt, and this rollout offers it "
        "to none of them again. Start a new rollout, of this release or of its fix: that takes them too."
    )


def _robots(count: int) -> str:
    return "1 robot is" if count == 1 else f"{count} robots are"


def _failures(plan: Plan, failed: tuple[str, ...]) -> str:
    named = ", ".join(failed[:5]) + (", …" if len(failed) > 5 else "")
    return f"{len(failed)} failed ({named}), the plan allows {plan.failures_max}. {_UNTIL}"
