"""Whatever operators, robots and the engine do, the cache says "nothing for you" only where the rows would say so."""

from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fleet.fleet_case import EVERYONE, SETTINGS, SKU, FleetCase, Voice
from surefoot.fleet.exchange import poll
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, resume_rollout
from surefoot.rollout.plan import Phase, Plan
from surefoot.server.devices.poll_cache import PollCache
from surefoot.server.devices.poll_cache_store import WatchedStore, ask
from surefoot.sim.memory_store import MemoryStore
from surefoot.wire.errors import Refused

ROBOTS = ("robot-1", "robot-2", "robot-3")
VERSIONS = ("0.2.0", "0.2.1", "0.2.2", "0.3.0")
PLANS = (
    EVERYONE,
    replace(EVERYONE, capacity=1, failures_max=3),
    Plan(phases=(Phase(name="one", robots=("robot-1",), soak_s=0), Phase(name="full", percent=100, soak_s=0))),
)


class _UndoneError(Exception):
    """Takes back what a look at the rows wrote."""


class CachedChecks(RuleBasedStateMachine):
    """A fleet whose checks go through the cache."""

    @initialize()
    def begin(self) -> None:
        self.polls = PollCache()
        self.store = WatchedStore(MemoryStore(), self.polls)
        self.fleet = FleetCase(run=lambda work: self.store.submit(work).result())
        self.voices = {robot_id: self.fleet.enrol(robot_id) for robot_id in ROBOTS}
        self.polls.observe(0)
        self.answered = 0

    def check(self, voice: Voice, version: str) -> None:
        robot, now_s = voice.robot, self.fleet.now_s
        offer, known_in = self.fleet.run(lambda rows: ask(rows, robot, SKU, version, now_s, SETTINGS, self.id))
        if offer is None and known_in is not None:
            self.polls.keep(robot.robot_id.encode(), version.encode(), robot.robot_id, 1, known_in, float("inf"))

    def id(self) -> str:
        return f"assignment-{next(self.fleet.ids)}"

    @rule(robot_id=st.sampled_from(ROBOTS), version=st.sampled_from(VERSIONS))
    def a_robot_checks(self, robot_id: str, version: str) -> None:
        self.check(self.voices[robot_id], version)

    @rule(
        robot_id=st.sampled_from(ROBOTS),
        version=st.sampled_from(VERSIONS),
        state=st.sampled_from(["confirmed", "trial"]),
        said=st.sampled_from([None, "downloading", "staged", "trial", "installed", "rolled_back", "refused"]),
        code=st.sampled_from([None, "trial-interrupted", "trial-failed-safety", "download-interrupted", "cancelled"]),
    )
    def a_robot_reports(self, robot_id: str, version: str, state: str, said: str | None, code: str | None) -> None:
        voice = self.voices[robot_id]
        voice.runs(version, state)
        newest = self.fleet.run(lambda rows: rows.newest_assignment(robot_id))
        voice.said = None
        if newest is not None and said is not None:
            voice.says(newest.assignment_id, said, attempts=newest.attempt, code=code)
        self.fleet.hear(voice)

    @rule(version=st.sampled_from(VERSIONS), plan=st.sampled_from(PLANS))
    def a_rollout_starts(self, version: str, plan: Plan) -> None:
        self.fleet.start(version, plan)

    @rule(move=st.sampled_from([pause_rollout, halt_rollout, resume_rollout]), which=st.integers(0, 3))
    def a_rollout_is_held_or_goes_on(self, move: type[object], which: int) -> None:
        rollouts = self.fleet.run(lambda rows: rows.find(Rollout))
        if rollouts:
            chosen = rollouts[which % len(rollouts)].rollout_id
            with suppress(Refused):
                self.fleet.run(lambda rows: move(rows, chosen, "A test.", self.fleet.now_s))  # type: ignore[call-arg]

    @rule(time_s=st.sampled_from([1.0, 60.0, 7 * 3600.0]))
    def time_passes(self, time_s: float) -> None:
        self.fleet.tick(time_s)

    @invariant()
    def what_the_cache_says_the_rows_say(self) -> None:
        for robot_id, voice in self.voices.items():
            for version in VERSIONS:
                if self.polls.look(robot_id.encode(), version.encode(), self.fleet.now_s) is not None:
                    self.answered += 1
                    assert not self.rows_offer(voice, version), (robot_id, version)

    def rows_offer(self, voice: Voice, version: str) -> bool:
        offered: list[bool] = []

        def work(rows: Rows) -> NoReturn:
            got = poll(rows, voice.robot, SKU, version, self.fleet.now_s, SETTINGS, self.id)
            offered.append(got is not None)
            raise _UndoneError

        with suppress(_UndoneError):
            self.store.submit(work).result()
        return offered[0]


CachedChecks.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCachedChecks = CachedChecks.TestCase


def test_a_robot_at_rest_is_remembered_and_a_halt_or_start_forgets_it() -> None:
    machine = CachedChecks()
    machine.begin()
    machine.check(machine.voices["robot-1"], "0.2.0")

    def known() -> bool:
        return machine.polls.look(b"robot-1", b"0.2.0", 0.0) is not None

    assert known()
    machine.fleet.tick(1.0)
    assert known()
    rollout = machine.fleet.start("0.2.1")
    assert not known()
    assert rollout.state is RolloutState.RUNNING
    machine.check(machine.voices["robot-1"], "0.2.0")
    assert not known()


def test_a_place_that_becomes_free_is_offered_to_who_was_remembered_while_there_was_none() -> None:
    machine = CachedChecks()
    machine.begin()
    machine.fleet.start("0.2.1", replace(EVERYONE, capacity=1))
    machine.fleet.offered(machine.voices["robot-1"])
    machine.check(machine.voices["robot-2"], "0.2.0")
    assert machine.polls.look(b"robot-2", b"0.2.0", 0.0) is not None
    machine.fleet.install(machine.voices["robot-1"])
    assert machine.polls.look(b"robot-2", b"0.2.0", 0.0) is None
    assert machine.rows_offer(machine.voices["robot-2"], "0.2.0")
