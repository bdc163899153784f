"""A whole rollout in virtual time: light robots, planted effects, and the real use cases and engine of the fleet.

Time passes in steps of five minutes, the longest that the engine may not look. Each robot has its own step of every
quarter of an hour in which it tells of its health.
"""

import hashlib
import random
import time
from collections import defaultdict
from collections.abc import Callable

from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.look import OUTAGE_S
from surefoot.fleet.model import Robot, RolloutState
from surefoot.rollout.plan import Plan
from surefoot.sim.rollout_fleet import NEW_VERSION, OLD_VERSION, SETTINGS, SKU, RolloutFleet, digest_of
from surefoot.sim.rollout_robot import DAY_S, SHIFT_SHARE, RolloutRobot, quiet_sums
from surefoot.sim.rollout_scenario import Effect, Kind, Scenario
from surefoot.sim.rollout_story import RolloutStory, story_of

STEP_S = OUTAGE_S
STEPS_PER_QUARTER = int(QUARTER_S / STEP_S)
# A Monday, 00:00 UTC.
START_S = 1_700_438_400.0
# Who was heard of for a day has a usual level of everything.
BEFORE_S = DAY_S
BEFORE_PARTS = 4
# A halted rollout is watched for so long, while robots are led back.
AFTER_HALT_S = DAY_S
DAYS_MAX = 30

# What goes on: hours since the start, and where the rollout stands.
Show = Callable[[float, str], None]


def robot_ids(count: int) -> tuple[str, ...]:
    """Return the names of the first so many robots."""
    return tuple(f"robot-{number:05}" for number in range(1, count + 1))


def run_rollout(scenario: Scenario, plan: Plan, robots: int, show: Show | None = None) -> RolloutStory:
    """Run a rollout to its end, to a day after its halt, or for a month; `plan` may name some of `robot_ids`."""
    return RolloutWorld(scenario, plan, robots).run(show)


class RolloutWorld:
    """One rollout on one fleet."""

    def __init__(self, scenario: Scenario, plan: Plan, robots: int) -> None:
        self.scenario, self.plan = scenario, plan
        self.dice = random.Random(scenario.seed)
        self.named = frozenset(robot_id for phase in plan.phases for robot_id in phase.robots)
        self.now_s = START_S
        self.fleet = RolloutFleet(START_S - BEFORE_S)
        self.robots = [self._robot(robot_id) for robot_id in robot_ids(robots)]
        self.first_struck_s: float | None = None
        self._asks: defaultdict[int, list[RolloutRobot]] = defaultdict(list)
        self._begins: defaultdict[int, list[RolloutRobot]] = defaultdict(list)
        self._restarts: defaultdict[int, list[RolloutRobot]] = defaultdict(list)
        self._struck = [0] * len(scenario.effects)
        self._step = 0

    def run(self, show: Show | None = None) -> RolloutStory:
        """Run it and tell how it went."""
        began_s = time.perf_counter()
        self._begin()
        end_s = START_S + DAYS_MAX * DAY_S
        halted_at_s: float | None = None
        while self.now_s < end_s:
            self._step += 1
            self.now_s = START_S + self._step * STEP_S
            self._pass_step()
            rollout = self.fleet.rollout()
            if show is not None and self._step % 12 == 0:
                show((self.now_s - START_S) / 3600, rollout.reason)
            if rollout.state is RolloutState.FINISHED:
                break
            if rollout.state is RolloutState.HALTED and halted_at_s is None:
                halted_at_s = self.now_s
                end_s = self.now_s + AFTER_HALT_S
        ended_at_s = self.now_s
        self._heal()
        return story_of(
            self.fleet,
            self.robots,
            started_at_s=START_S,
            ended_at_s=ended_at_s,
            first_struck_s=self.first_struck_s,
            real_s=time.perf_counter() - began_s,
        )

    def _robot(self, robot_id: str) -> RolloutRobot:
        token = hashlib.sha256(robot_id.encode()).hexdigest()
        robot = Robot(robot_id=robot_id, sku=SKU, token_sha256=token, enrolled_at_s=self.now_s - BEFORE_S)
        self.fleet.enrol(robot)
        dice = random.Random(f"{self.scenario.seed}/{robot_id}")
        works_shifts = robot_id not in self.named and dice.random() < SHIFT_SHARE
        return RolloutRobot(
            robot=robot,
            version=OLD_VERSION,
            runs=digest_of(OLD_VERSION),
            dice=dice,
            shift_at_s=START_S + dice.random() * DAY_S if works_shifts else None,
        )

    def _begin(self) -> None:
        """Let every robot have told of a day, and the rollout start."""
        for part in range(1, BEFORE_PARTS + 1):
            at_s = START_S - BEFORE_S + part * BEFORE_S / BEFORE_PARTS
            sums = [quiet_sums(robot.on_share * BEFORE_S / BEFORE_PARTS, robot.dice) for robot in self.robots]
            windows = [robot.window(at_s, one) for robot, one in zip(self.robots, sums, strict=True)]
            self.fleet.hear_windows(windows, at_s)
        for robot in self.robots:
            self._hear(robot)
            self._ask_after(robot, self.dice.random() * SETTINGS.next_check_s)
        salt = hashlib.sha256(b"%d" % self.scenario.seed).digest()
        self.fleet.start(self.plan, salt, self.now_s)

    def _pass_step(self) -> None:
        if self._is_away(Kind.SERVER_DOWN):
            self._wait_for_server()
            return
        for robot in self._begins.pop(self._step, ()):
            self._stage(robot)
        for robot in self._restarts.pop(self._step, ()):
            self._restart(robot)
        for robot in self._asks.pop(self._step, ()):
            if robot.is_on(self.now_s):
                self._ask(robot)
            elif robot.is_alive:
                self._ask_after(robot, SETTINGS.next_check_s / 4)
        if not self._is_away(Kind.TELEMETRY_OUTAGE):
            theirs = self.robots[self._step % STEPS_PER_QUARTER :: STEPS_PER_QUARTER]
            windows = [robot.window(self.now_s) for robot in theirs if robot.is_on(self.now_s)]
            self.fleet.hear_windows(windows, self.now_s)
        self.fleet.look(self.now_s)

    def _wait_for_server(self) -> None:
        """Let everyone try again in the next step who has something to say."""
        for waiting in (self._begins, self._restarts, self._asks):
            late = waiting.pop(self._step, [])
            waiting[self._step + 1] = late + waiting[self._step + 1]

    def _is_away(self, kind: Kind) -> bool:
        since_s = self.now_s - START_S
        return any(out.kind is kind and out.from_s <= since_s < out.to_s for out in self.scenario.outages)

    def _ask(self, robot: RolloutRobot) -> None:
        next_check_s = self._hear(robot)
        if robot.offer is None:
            self._ask_after(robot, next_check_s)
        else:
            self._begins[self._step + 1].append(robot)

    def _stage(self, robot: RolloutRobot) -> None:
        """Let the robot, which has the image by now, say that it restarts; unless it is called back just then."""
        robot.stage()
        next_check_s = self._hear(robot)
        if robot.offer is None:
            self._ask_after(robot, next_check_s)
        else:
            self._restarts[self._step + 1].append(robot)

    def _restart(self, robot: RolloutRobot) -> None:
        is_new = robot.offer is not None and str(robot.offer.version) == NEW_VERSION
        robot.restart(self._ills(robot) if is_new else (), self.now_s)
        if robot.is_alive:
            self._ask_after(robot, self._hear(robot))

    def _ills(self, robot: RolloutRobot) -> tuple[Effect, ...]:
        """Return what the release does to this robot."""
        found = []
        for index, effect in enumerate(self.scenario.effects):
            if effect.robots:
                strikes = robot.robot.robot_id not in self.named and self._struck[index] < effect.robots
            else:
                strikes = effect.share >= 1 or self.dice.random() < effect.share
            if strikes:
                self._struck[index] += 1
                found.append(effect)
        if found and self.first_struck_s is None:
            self.first_struck_s = self.now_s
        return tuple(found)

    def _hear(self, robot: RolloutRobot) -> float:
        answer = self.fleet.hear(robot.robot, robot.report(), self.now_s)
        robot.take(answer)
        return float(answer.next_check_s or SETTINGS.next_check_s)

    def _ask_after(self, robot: RolloutRobot, pause_s: float) -> None:
        self._asks[self._step + max(1, round(pause_s / STEP_S))].append(robot)

    def _heal(self) -> None:
        """Let every robot that runs anything say once more what it runs."""
        for robot in self.robots:
            if robot.is_alive:
                self._hear(robot)
