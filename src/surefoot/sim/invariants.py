"""The promises of a world: each a sentence and a function that returns None while it holds, or else what broke it.

A function's first line is its sentence. Those about rows look at every commit, those about robots at everything a robot
says, at every rest and every power cut, and those about the end when everything was healed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.fleet.model import Assignment, Facts, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.robots import RobotStatus
from surefoot.rollout.membership import phase_of
from surefoot.sim import bootloader
from surefoot.sim.flash import Flash, PowerSupply
from surefoot.sim.robot import Behaviour
from surefoot.wire.codes import CODES, NAMED_REFUSALS, RETRYABLE
from surefoot.wire.errors import SurefootError
from surefoot.wire.offer import Answer
from surefoot.wire.report import IN_PROGRESS_STATES, TRIAL, Report
from surefoot.wire.version import Version

# Where a report stands among the robot's others.
Place = tuple[str, int, int]

_FAILED = (Status.ROLLED_BACK, Status.REFUSED)
_SETTLED = (Status.INSTALLED, Status.ROLLED_BACK, Status.REFUSED, Status.DRIFTED, Status.SILENT, Status.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One promise that was broken: its name and sentence, by whom, when, and the facts."""

    name: str
    sentence: str
    who: str
    at_s: float
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence} At {self.at_s:.1f} s {self.who} broke it: {self.detail}"


# What a robot runs, says and keeps.


def some_image_boots(flash: Flash) -> str | None:
    """Some bootable image exists at every instant."""
    try:
        bootloader.boot(flash.copy(PowerSupply()))
    except SurefootError as error:
        return error.message
    return None


def running_slot_untouched(label: str, before: bytes, after: bytes) -> str | None:
    """The running slot is never written."""
    return None if before == after else f"the content of {label} changed while it ran"


def runs_trusted_image(digest: str | None, trusted: Mapping[str, Version]) -> str | None:
    """A robot never runs an image that no trusted key signed."""
    return None if digest in trusted else f"it runs {digest}, which nobody signed"


def runs_above_floor(version: Version, floor: Version) -> str | None:
    """A robot never runs an image below its version floor."""
    return None if version >= floor else f"it runs {version}, and its floor is {floor}"


def one_number_one_report(known: Report | None, report: Report) -> str | None:
    """A robot never says two different things under one number."""
    if known is None or known == report:
        return None
    return f"({report.epoch}, {report.boot}, {report.seq}) was said before and differed"


def trial_ends(report: Report, trial_boots: int, attempts_max: int) -> str | None:
    """A trial ends in confirm or rollback within its attempts."""
    attempts = 0 if report.assignment is None else report.assignment.attempts
    spent = max(attempts, trial_boots)
    return None if spent <= attempts_max else f"{spent} attempts at one assignment, and {attempts_max} are allowed"


def rests_confirmed(report: Report | None) -> str | None:
    """A robot never rests while its image is on trial."""
    return "it rests on trial" if report is not None and report.running.state == TRIAL else None


def keeps_no_failing_image(behaviour: Behaviour) -> str | None:
    """An image that fails its self-test or crashes in it is never kept."""
    return None if behaviour is Behaviour.HEALTHY else f"it kept an image that {behaviour}"


def agent_survives(error: Exception | None) -> str | None:
    """Nothing that happens stops an agent for good."""
    return _named(error)


# What the server stores and answers.


def view_moves_forward(before: Facts | None, after: Facts, spoken: Mapping[Place, int]) -> str | None:
    """The server's view of a robot never goes backwards."""
    was, now = (-1 if facts is None else spoken.get(place_of(facts.report), -1) for facts in (before, after))
    return None if was <= now else f"it holds its report {now} after its report {was}"


def within_capacity(rows: Rows, before: Assignment | None, after: Assignment) -> str | None:
    """No more assignments are open than the plan's capacity, counting offers."""
    took_place = after.is_open and not (before is not None and before.is_open)
    rollout = rows.get(Rollout, after.rollout_id)
    if not took_place or rollout is None:
        return None
    if rows.count_open(after.rollout_id) <= rollout.plan.capacity:
        return None
    # Who was thought lost and turns out to be updating cannot be stopped: only offers can be withheld.
    facts = rows.facts(after.robot_id)
    said = None if facts is None else facts.report.assignment
    if said is not None and said.id == after.assignment_id and said.state in IN_PROGRESS_STATES:
        return None
    return f"{rows.count_open(after.rollout_id)} are open in {after.rollout_id}, which allows {rollout.plan.capacity}"


def assigned_behind_open_door(rows: Rows, before: Assignment | None, after: Assignment) -> str | None:
    """No robot of the next phase is assigned before this phase passed."""
    rollout = rows.get(Rollout, after.rollout_id)
    if before is not None or rollout is None:
        return None
    phase = phase_of(rollout.plan, rollout.salt, after.robot_id)
    return None if phase <= rollout.phase else f"it is of phase {phase}, and phase {rollout.phase} is open"


def phase_passed(rows: Rows, before: Rollout | None, after: Rollout, soaked_s: float) -> str | None:
    """A phase passes when its robots have settled, few enough failed, and it soaked."""
    if before is None or after.phase == before.phase:
        return None
    phase = after.plan.phases[before.phase]
    reached = rows.assignments(after.rollout_id)
    unsettled = [it.robot_id for it in reached if it.status not in _SETTLED or it.is_open]
    failed = [it for it in reached if it.status in _FAILED and it.code not in RETRYABLE and it.code in CODES]
    if after.phase != before.phase + 1:
        return f"{after.rollout_id} went from phase {before.phase} to {after.phase}"
    if unsettled:
        return f"phase {phase.name} passed while {unsettled[0]} had not settled"
    if not after.plan.allows(len(failed)):
        return f"phase {phase.name} passed with {len(failed)} failed"
    return None if soaked_s >= phase.soak_s else f"phase {phase.name} soaked for {soaked_s:.0f} s only"


def failure_has_code(after: Assignment) -> str | None:
    """Every refusal and failure is visible with its code."""
    # A robot that may try again shows what its next offer waits for.
    known = {**CODES, **NAMED_REFUSALS} if after.status is Status.ROLLED_BACK else CODES
    failed = after.status in _FAILED
    return f"{after.status} with code {after.code}" if failed and after.code not in known else None


def server_bears_it(error: Exception | None) -> str | None:
    """Nothing that arrives makes the server fail."""
    return _named(error)


def offers_only_while_running(store: Store, robot_id: str, answer: Answer) -> str | None:
    """A halted or paused rollout hands out no offer."""
    if answer.offer is None:
        return None
    assignment = store.read(lambda rows: rows.newest_assignment(robot_id))
    if assignment is None or assignment.assignment_id != answer.offer.id:
        return f"offered {answer.offer.id}, which is not its newest assignment"
    rollout = store.read(lambda rows: rows.get(Rollout, assignment.rollout_id))
    held = rollout is None or rollout.state in (RolloutState.PAUSED, RolloutState.HALTED)
    return f"offered {answer.offer.version} by {rollout}" if held else None


# What must be true when everything was healed.


def record_equals_robot(status: RobotStatus, running_digest: str | None) -> str | None:
    """Every record equals its robot."""
    recorded = None if status.facts is None else status.facts.report.running.digest
    if recorded != running_digest:
        return f"the record says {recorded}, and {running_digest} runs"
    installed = status.verdict.status is Status.INSTALLED
    if installed != (running_digest is not None and running_digest == status.wanted_digest):
        return f"the record says {status.verdict.status}, and the wanted image runs: {not installed}"
    return None


def comes_to_rest(status: RobotStatus) -> str | None:
    """Once healed, every robot ends installed or in a failure with a name."""
    verdict = status.verdict
    if verdict.status is Status.INSTALLED:
        return None
    named = verdict.failed and verdict.code in CODES and any(f"({verdict.code})" in it.text for it in status.history)
    return None if named else f"it stands at {verdict.status} ({verdict.code}): {verdict.reason}"


def repeating_changes_nothing(before: object, after: object) -> str | None:
    """Repeating any message changes nothing."""
    return None if before == after else "a repeated report changed a row"


def place_of(report: Report) -> Place:
    """Return the report's number."""
    return report.epoch, report.boot, report.seq


def _named(error: Exception | None) -> str | None:
    return None if error is None else f"{getattr(error, 'code', type(error).__name__)}: {error}"
