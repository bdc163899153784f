"""The real agent and the real fleet in conversations that went wrong, and how they find back to the truth."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.fleet.fleet_metrics import fleet_metrics
from surefoot.fleet.model import Facts, Status
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim.cuts import OLD_VERSION, Bench, settle
from surefoot.sim.flash import PowerSupply
from surefoot.sim.ground import SimFleet
from surefoot.sim.images import app_image
from surefoot.sim.link import BlobDownload, FleetLink
from surefoot.sim.memory_store import MemoryStore
from surefoot.sim.partitions import SMALL
from surefoot.sim.robot import FACTORY_EPOCH, Behaviour, SimRobot
from surefoot.wire.errors import Interrupted
from surefoot.wire.offer import Answer
from surefoot.wire.report import STAGED, Report


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bench(tmp_path: Path, store: MemoryStore) -> Iterator[Bench]:
    new_key(tmp_path / "key.pem")
    fleet = SimFleet(tmp_path, open_signer(f"file:{tmp_path / 'key.pem'}"), store)
    release = fleet.publish(app_image("0.2.1", seed=2), "0.2.1")
    fleet.start_rollout(release)
    yield Bench(fleet=fleet, geometry=SMALL, old_image=app_image(OLD_VERSION, seed=1), release=release)
    fleet.close()


class Line:
    """A way to the fleet that remembers what was said, and whose server can move to another address."""

    def __init__(self, link: FleetLink) -> None:
        self.go_over(link)
        self.address = "sim:"
        self.reachable = True
        self.said: list[Report] = []
        self.answers: list[Answer] = []

    def go_over(self, link: FleetLink) -> None:
        """Lead to another fleet from now on."""
        self._link = link
        self.robot = link.robot

    def exchange(self, report: Report) -> Answer:
        answer = self._link.exchange(report)
        if answer.offer is not None:
            answer = answer.replace(offer=answer.offer.replace(url=answer.offer.url.replace("sim:", self.address)))
        self.said.append(report)
        self.answers.append(answer)
        return answer

    def open(self, url: str, sha256: str, first_byte: int) -> BlobDownload:
        if not self.reachable or not url.startswith(self.address):
            raise Interrupted("download-interrupted", f"Nobody answers at {url}: try again.")
        return self._link.open(url, sha256, first_byte)


def facts_of(bench: Bench) -> Facts:
    facts = bench.fleet.status("r").facts
    assert facts is not None
    return facts


def test_a_late_report_of_a_middle_epoch_locks_a_living_robot_out_only_until_it_speaks(bench: Bench) -> None:
    line = Line(bench.fleet.enrol("r"))
    robot = bench.robot_on("r", line, Behaviour.HEALTHY)
    settle(robot, bench)
    line.exchange(line.said[0].replace(epoch="middle", boot=1, seq=1))
    assert facts_of(bench).report.epoch == "middle"
    assert bench.fleet.status("r").verdict.status is not Status.INSTALLED

    del line.answers[:]
    robot.check()

    assert [answer.stale for answer in line.answers] == [True, False]
    facts, status = facts_of(bench), bench.fleet.status("r").verdict.status
    assert facts.report.epoch not in {"middle", FACTORY_EPOCH}
    assert facts.past_epochs == ("middle", FACTORY_EPOCH)
    assert (facts.report.running.digest, status) == (robot.running_digest, Status.INSTALLED)
    robot.check()
    assert line.answers[-1].stale is False
    assert facts_of(bench).report == line.said[-1]


def test_a_robot_whose_flash_was_put_back_counts_again_and_is_updated_again(bench: Bench) -> None:
    line = Line(bench.fleet.enrol("r"))
    robot = bench.robot_on("r", line, Behaviour.HEALTHY)
    backup = robot.flash.copy(PowerSupply())
    settle(robot, bench)
    assert bench.fleet.status("r").verdict.status is Status.INSTALLED

    restored = SimRobot(robot.identity, backup, line, block_bytes=bench.block_bytes)
    said_before = len(line.said)
    settle(restored, bench)
    restored.check()

    assert line.said[said_before].epoch == FACTORY_EPOCH
    assert line.answers[said_before].stale is True
    assert restored.running_digest == bench.release.digest
    assert facts_of(bench).report.running.digest == restored.running_digest
    assert facts_of(bench).past_epochs == (FACTORY_EPOCH,)
    status = bench.fleet.status("r")
    assert status.verdict.status is Status.INSTALLED
    assert "0.2.1: drifted, recorded as installed before." in " ".join(entry.text for entry in status.history)


def test_a_server_put_back_to_an_old_backup_records_what_a_robot_that_is_ahead_really_runs(
    bench: Bench, store: MemoryStore
) -> None:
    fleet = bench.fleet
    line = Line(fleet.enrol("r"))
    robot = bench.robot_on("r", line, Behaviour.HEALTHY)
    settle(robot, bench)
    backup = store.copy()
    fleet.start_rollout(fleet.publish(app_image("0.2.2", seed=3), "0.2.2"))
    robot.check()
    ahead = robot.running_digest
    assert ahead not in {None, bench.release.digest} and facts_of(bench).report.running.digest == ahead

    fleet.store = backup
    line.go_over(FleetLink(backup, fleet.blobs, line.robot, lambda: fleet.now_s, lambda: "assignment-9"))
    assert facts_of(bench).report.running.digest == bench.release.digest
    boots = robot.boots
    for _ in range(3):
        robot.check()

    assert (robot.running_digest, robot.boots) == (ahead, boots), "nobody takes it back behind its version"
    assert facts_of(bench).report == line.said[-1] and line.said[-1].running.digest == ahead
    verdict = fleet.status("r").verdict
    assert (verdict.status, verdict.code) == (Status.REFUSED, "refused-version-order")


def test_of_two_robots_with_one_identity_the_record_is_that_of_the_last_to_restart_and_says_so(bench: Bench) -> None:
    line = Line(bench.fleet.enrol("r"))
    robot = bench.robot_on("r", line, Behaviour.HEALTHY)
    robot.switch_on()
    copied = SimRobot(robot.identity, robot.flash.copy(PowerSupply()), line, block_bytes=bench.block_bytes)
    for _ in range(3):
        for one in (robot, copied):
            one.check()
            one.switch_on()
            assert facts_of(bench).report == line.said[-1]
    assert {robot.running_digest, copied.running_digest} == {bench.release.digest}
    told = [entry.text for entry in bench.fleet.status("r").history if entry.kind == "reset"]
    assert len(told) >= 3 and all("a second robot with its identity" in text for text in told)


def test_a_server_that_moved_reaches_a_robot_that_is_cut_off_from_the_image(bench: Bench) -> None:
    line = Line(bench.fleet.enrol("r"))
    robot = bench.robot_on("r", line, Behaviour.HEALTHY)
    line.reachable = False
    robot.switch_on()
    offered = [answer.offer for answer in line.answers if answer.offer is not None]
    assert [offer.url.startswith("sim:") for offer in offered] == [True]

    line.reachable, line.address = True, "moved:"
    robot.check()

    assert robot.running_digest == bench.release.digest
    assert bench.fleet.status("r").verdict.status is Status.INSTALLED
    offered = [answer.offer for answer in line.answers if answer.offer is not None]
    assert [(offer.id, offer.attempt) for offer in offered] == [(offered[0].id, 1)] * 2


class SlowLine(Line):
    """A way on which fetching takes the fleet's time; the word that the image is whole may get lost."""

    def __init__(self, fleet: SimFleet, open_s: float) -> None:
        super().__init__(fleet.enrol("r"))
        self.fleet = fleet
        self.open_s = open_s
        self.loses_staged = False

    def exchange(self, report: Report) -> Answer:
        if self.loses_staged and report.assignment is not None and report.assignment.state == STAGED:
            raise Interrupted("interrupted-exchange", "The network is gone: try again.")
        return super().exchange(report)

    def open(self, url: str, sha256: str, first_byte: int) -> BlobDownload:
        self.fleet.now_s += self.open_s
        return super().open(url, sha256, first_byte)


@pytest.mark.parametrize(("loses_staged", "mean_s"), [(False, 40.0), (True, None)])
def test_what_an_agent_says_by_itself_tells_how_long_its_download_took(
    bench: Bench, store: MemoryStore, loses_staged: bool, mean_s: float | None
) -> None:
    line = SlowLine(bench.fleet, 40.0)
    line.loses_staged = loses_staged
    robot = bench.robot_on("r", line, Behaviour.HEALTHY)
    bench.fleet.now_s += 3600
    settle(robot, bench)
    assert bench.fleet.status("r").verdict.status is Status.INSTALLED
    assert store.read(fleet_metrics).mean_download_s == mean_s
