"""What happens to a message on its way, with one robot's link and a real fleet behind it."""

from collections.abc import Iterable

import pytest

from surefoot.sim.faults import Fault
from surefoot.sim.flash import PowerCut
from surefoot.sim.foundry import foundry
from surefoot.sim.ground import SKU
from surefoot.sim.network import LATE_S_MAX, TIMEOUT_S, WorldLink
from surefoot.sim.world import World
from surefoot.wire.errors import Interrupted
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.report import Report, SlotReport

FILE = foundry().releases[0].sha256


def a_report(seq: int, boot: int = 1) -> Report:
    return Report(
        robot_id="robot-001",
        sku=SKU,
        epoch="factory",
        boot=boot,
        seq=seq,
        running=SlotReport(slot="ota_0", version="0.2.0", digest=None, state="confirmed"),
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=1,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )


class Bench:
    """A world whose one robot is a test that holds its link; a fault strikes at the chance the test sets."""

    def __init__(self, kinds: Iterable[Fault] = ()) -> None:
        self.world = World(1, 1, kinds)
        member = self.world.members[0]
        member.robot.switch_on = lambda: 0  # type: ignore[method-assign]
        self.link: WorldLink = member.link
        self.power = member.robot.flash.power
        # The way alone is looked at here, not the robot: it was never switched on.
        self.world.watch.spoke = lambda robot_id, report: None  # type: ignore[method-assign]
        self.world.server.store.on_commit = None

    def always(self, struck: Fault) -> None:
        """Let this kind strike whenever it can."""
        self.world.faults.strikes = lambda kind, probability: kind is struck  # type: ignore[method-assign]

    def stored(self) -> tuple[int, int] | None:
        facts = self.world.server.store.read(lambda rows: rows.facts("robot-001"))
        return None if facts is None else (facts.report.boot, facts.report.seq)

    def heard(self, report: Report) -> str:
        try:
            self.link.exchange(report)
        except Interrupted as error:
            return error.code
        return "answered"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_without_faults_a_report_arrives_and_its_answer_comes_back(bench: Bench) -> None:
    assert (bench.heard(a_report(1)), bench.stored()) == ("answered", (1, 1))
    assert 0 < bench.world.timeline.now_s < 1


def test_a_lost_message_is_waited_for_and_never_comes(bench: Bench) -> None:
    bench.always(Fault.LOSS)
    assert bench.heard(a_report(1)) == "server-unreachable"
    assert bench.world.timeline.now_s == TIMEOUT_S
    bench.world.timeline.run(LATE_S_MAX)
    assert bench.stored() is None


def test_a_late_report_arrives_after_its_sender_gave_up_and_takes_nothing_back(bench: Bench) -> None:
    bench.always(Fault.DELAY)
    assert bench.heard(a_report(1)) == "server-unreachable"
    bench.world.faults.healed = True
    bench.always(Fault.CLOCK)
    bench.heard(a_report(2))
    bench.world.timeline.run(LATE_S_MAX)
    assert bench.stored() == (1, 2)


@pytest.mark.parametrize("kind", [Fault.DOUBLE, Fault.REORDER])
def test_copies_of_old_reports_arrive_and_change_nothing(bench: Bench, kind: Fault) -> None:
    bench.always(kind)
    for seq in (1, 2, 3):
        assert bench.heard(a_report(seq)) == "answered"
    before = bench.world.server.store.snapshot()
    events = bench.world.timeline.events
    bench.world.timeline.run(2 * LATE_S_MAX)
    assert bench.world.timeline.events > events
    assert bench.world.server.store.snapshot()["facts"] == before["facts"]
    assert bench.world.faults.injected[kind] == 3


def test_a_split_ends_by_itself(bench: Bench) -> None:
    bench.world.network.split(["robot-001"], 100.0)
    assert bench.heard(a_report(1)) == "server-unreachable"
    with pytest.raises(Interrupted):
        bench.link.open("sim:", FILE, 0)
    bench.world.timeline.run(100.0)
    assert bench.heard(a_report(2)) == "answered"


def test_power_can_fail_before_a_word_is_out(bench: Bench) -> None:
    bench.always(Fault.POWER)
    with pytest.raises(PowerCut):
        bench.link.exchange(a_report(1))
    assert (bench.power.is_on, bench.stored(), bench.link.sent) == (False, None, [])


def test_a_server_that_dies_leaves_all_of_a_work_or_nothing(bench: Bench) -> None:
    seen = set()
    for boot in range(1, 60):
        bench.always(Fault.KILL)
        before = bench.stored()
        assert bench.heard(a_report(1, boot)) == "server-unreachable"
        assert not bench.world.server.is_up
        seen.add("all" if bench.stored() == (boot, 1) else "nothing")
        assert bench.stored() in (before, (boot, 1))
        bench.world.timeline.run(LATE_S_MAX)
    assert seen == {"all", "nothing"}


def download(bench: Bench) -> bytes:
    data = b""
    way = bench.link.open("sim:", FILE, 0)
    while piece := way.read(CHUNK_BYTES):
        data += piece
    way.close()
    return data


def test_a_download_comes_whole_from_any_byte_on(bench: Bench) -> None:
    file = foundry().files[FILE]
    assert download(bench) == file
    assert bench.link.open("sim:", FILE, 5000).read(100) == file[5000:5100]


def test_damaged_downloads_are_never_the_file(bench: Bench) -> None:
    dice = bench.world.dice
    bench.world.faults.strikes = lambda kind, probability: (  # type: ignore[method-assign]
        kind is Fault.DOWNLOAD and (probability > 0.1 or dice.random() < 0.2)
    )
    ways = ("a stranger signed", "has a flipped bit", "is cut short", "is followed by rubbish")
    seen = set()
    for _ in range(80):
        bench.world.trace.clear()
        try:
            assert download(bench) != foundry().files[FILE]
        except Interrupted as error:
            seen.add(error.code)
            continue
        seen.add(next(way for way in ways if any(way in line.what for line in bench.world.trace)))
    assert seen == {"download-interrupted", *ways}
