"""The plan of a rollout: which robots in which order, how long each phase soaks, and what holds or stops it.

A phase names its robots or takes a percentage of the fleet. Percentages only grow from phase to phase, so a robot that
was reached stays reached. A plan ends with the whole fleet, unless it is for one robot alone. `rollout.plan_format`
reads and writes plans.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from surefoot.rollout import budget
from surefoot.rollout.maintenance import Window
from surefoot.rollout.margins import Margins
from surefoot.rollout.metrics import Metric
from surefoot.rollout.ramp import Ramp
from surefoot.wire.errors import Refused

CODE = "refused-plan-format"
HOUR_S = 3600
USUAL_RAMP = Ramp()
ONE_ROBOT = "one-robot"

# Where in a plan something stands: keys of objects and positions in arrays, from the outside in.
Path = tuple[str | int, ...]


class PlanRefused(Refused):
    """Something in a plan is wrong (`refused-plan-format`); `path` is where."""

    def __init__(self, path: Path, sentence: str) -> None:
        super().__init__(CODE, f"{path_text(path)}: {sentence}")
        self.path = path
        self.sentence = sentence


class Order(StrEnum):
    """Which robots go first within a percentage: drawn anew for each rollout, or the same in every rollout."""

    RANDOM = "random"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One step of a rollout: the named `robots`, or `percent` of the fleet, watched for `soak_s` seconds.

    With `approval` its door opens only after a person agreed.
    """

    name: str
    robots: tuple[str, ...] = ()
    percent: float = 0.0
    soak_s: float
    approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Which metrics are watched, how much worse is accepted of some, and how likely a good release may be halted."""

    metrics: frozenset[Metric] = frozenset(Metric)
    margins: Margins = field(default_factory=dict, hash=False)
    false_halt_budget: float = budget.ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one release reaches the fleet.

    `capacity` is the most assignments open at once, counting offers; `attempts_max` the trial boots one robot may
    spend; `failures_max` the robots that may fail before the rollout halts, None where the gates alone decide; a robot
    that has not reported for `silence_deadline_s` counts as failed. Without a `ramp` a phase's doors open at once.
    Robots begin an update only inside `maintenance_windows`, if there are any, by their own time zone. `exclude` names
    robots that are never offered the release. Where a trigger or a gate halts, `recall_on_halt` also takes the release
    back, and `rollback_on_halt` leads robots back to what they ran before.
    """

    phases: tuple[Phase, ...]
    capacity: int = 1000
    attempts_max: int = 3
    failures_max: int | None = None
    silence_deadline_s: float = 24 * HOUR_S
    repair_drift: bool = True
    gates: Gates = Gates()
    ramp: Ramp | None = USUAL_RAMP
    order: Order = Order.RANDOM
    maintenance_windows: tuple[Window, ...] = ()
    exclude: tuple[str, ...] = ()
    recall_on_halt: bool = False
    rollback_on_halt: bool = True

    def __post_init__(self) -> None:
        """Refuse (`PlanRefused`) a plan whose phases do not grow, or reach neither the fleet nor one robot."""
        if not self.phases or (self.phases[-1].percent != 100 and self.only_robot_id is None):
            sentence = "the plan must end with a phase of 100 percent, or be one phase that names one robot: add one."
            raise PlanRefused(("phases",), sentence)
        if self.phases[0].approval:
            raise PlanRefused(("phases", 0, "approval"), "starting the rollout opens the first phase: leave it out.")
        for index, phase in enumerate(self.phases):
            before = self.phases[:index]
            if phase.name in {other.name for other in before}:
                raise PlanRefused(("phases", index, "name"), "another phase has the same name: give each its own.")
            if before and phase.percent < before[-1].percent:
                raise PlanRefused(("phases", index, "percent"), "a percentage must not shrink: order the phases by it.")
            for place, robot_id in enumerate(phase.robots):
                if robot_id in self.exclude:
                    raise PlanRefused(
                        ("phases", index, "robots", place), "is excluded too: leave it out of one of them."
                    )
        for key, least in (("capacity", self.capacity), ("attempts_max", self.attempts_max)):
            if least < 1:
                raise PlanRefused((key,), "must be at least 1: no robot could ever be updated.")

    @property
    def only_robot_id(self) -> str | None:
        """The one robot that the plan is for, None where it is for all of a sku."""
        only = self.phases[0]
        return only.robots[0] if len(self.phases) == len(only.robots) == 1 and not only.percent else None

    def allows(self, failures: int) -> bool:
        """Whether so many failed robots are few enough, as far as the plan counts them at all."""
        return self.failures_max is None or failures <= self.failures_max


def default_plan(internal_robots: tuple[str, ...] = ()) -> Plan:
    """Return the fleet strategy: internal robots 24 h, 10 % 48 h, 50 % 24 h, 100 % 24 h.

    Without named robots the internal phase is left out.
    """
    internal = (Phase(name="internal", robots=internal_robots, soak_s=24 * HOUR_S),) if internal_robots else ()
    return Plan(
        phases=(
            *internal,
            Phase(name="canary", percent=10, soak_s=48 * HOUR_S),
            Phase(name="wider", percent=50, soak_s=24 * HOUR_S),
            Phase(name="full", percent=100, soak_s=24 * HOUR_S),
        )
    )


def one_robot_plan(robot_id: str, phase_name: str = ONE_ROBOT) -> Plan:
    """Return the plan that brings a release to one robot: nothing gates it, since one robot proves nothing."""
    return Plan(
        phases=(Phase(name=phase_name, robots=(robot_id,), soak_s=0),), gates=Gates(metrics=frozenset()), ramp=None
    )


def path_text(path: Path) -> str:
    """Return where something stands as people write it, such as `phases[1].percent`; `plan` for the whole."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:64]}" for part in path)
    return text.removeprefix(".") or "plan"
