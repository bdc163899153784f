"""The way between a robot and its server, on which everything that can happen to a message does.

A robot waits for an answer as real ones do, so a message that takes longer than that may arrive after its sender has
given up on it, said newer things, or lost power. What arrives beside the exchange that sent it gets its answer thrown
away: nobody waits for it.
"""

import zlib

from surefoot.fleet.model import Robot
from surefoot.sim.faults import Fault, Faults
from surefoot.sim.flash import PowerCut, PowerSupply
from surefoot.sim.mortal_server import MortalServer
from surefoot.sim.timeline import Timeline
from surefoot.sim.watch import Watch
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.offer import Answer, parse_answer
from surefoot.wire.report import Report, encode_report

TIMEOUT_S = 30.0
LATENCY_S = 0.4
LATE_S_MAX = 1800.0


class Network:
    """All ways of one world."""

    def __init__(self, timeline: Timeline, faults: Faults, server: MortalServer, watch: Watch) -> None:
        self.timeline = timeline
        self.faults = faults
        self.server = server
        self.watch = watch
        self._cut_off: frozenset[str] = frozenset()

    def split(self, robot_ids: list[str], duration_s: float) -> None:
        """Cut some robots off from the server for a while."""
        self._cut_off = frozenset(robot_ids)
        self.faults.inject(Fault.SPLIT, "network", f"{len(robot_ids)} robots are cut off for {duration_s:.0f} s")
        self.timeline.call(duration_s, self._join)

    def reaches(self, robot_id: str) -> bool:
        """Whether the robot's messages can arrive at all."""
        return self.faults.healed or robot_id not in self._cut_off

    def _join(self) -> None:
        self._cut_off = frozenset()


class WorldLink:
    """One robot's way to its server. Fills `shell.ports.Transport`.

    `sent` is every report that left the robot, `answered` those that came to an answer.
    """

    def __init__(self, network: Network, robot: Robot, power: PowerSupply) -> None:
        self.sent: list[bytes] = []
        self.answered: list[bytes] = []
        self._network = network
        self._robot = robot
        self._power = power
        self._faults = network.faults
        self._timeline = network.timeline

    def exchange(self, report: Report) -> Answer:
        """Bring the report to the fleet and its answer back, if nothing happens to either."""
        name = self._robot.robot_id
        self._network.watch.spoke(name, report)
        self._lose_power("before a report was out")
        data = encode_report(report)
        self.sent.append(data)
        answer = self._send(data)
        self._lose_power("before an answer was heard")
        if self._faults.strikes(Fault.LOSS, 0.05):
            self._faults.inject(Fault.LOSS, name, "an answer is lost")
            raise self._unanswered()
        self._timeline.sleep(self._latency_s())
        return _either_way(parse_answer(answer), data)

    def open(self, url: str, sha256: str, first_byte: int) -> "WorldDownload":
        """Open a download; `Interrupted` when the way is broken, `Refused` when there is no such file."""
        self._lose_power("before a download")
        self._timeline.sleep(self._latency_s())
        is_lost = self._faults.strikes(Fault.LOSS, 0.05)
        if is_lost:
            self._faults.inject(Fault.LOSS, self._robot.robot_id, "a download's request is lost")
        if is_lost or not self._network.reaches(self._robot.robot_id) or not self._network.server.is_up:
            raise Interrupted("download-interrupted", "The server cannot be reached.")
        file = self._network.server.files.get(sha256)
        if file is None:
            raise Refused("refused-image-gone", "There is no such image.")
        if self._faults.strikes(Fault.DOWNLOAD, 0.03):
            self._faults.inject(Fault.DOWNLOAD, self._robot.robot_id, "a download is an image that a stranger signed")
            file = self._network.server.strange_file
        return WorldDownload(self._faults, self._robot.robot_id, file, first_byte)

    def deliver(self, data: bytes) -> None:
        """Bring a message to the fleet for whose answer nobody waits."""
        try:
            self._network.server.handle(self._robot, data)
        except Interrupted:
            return

    def _send(self, data: bytes) -> bytes:
        """Return the server's answer to a message, with copies of it and of older ones on their way."""
        name = self._robot.robot_id
        if not self._network.reaches(name):
            raise self._unanswered()
        if self._faults.strikes(Fault.LOSS, 0.05):
            self._faults.inject(Fault.LOSS, name, "a report is lost")
            raise self._unanswered()
        if self._faults.strikes(Fault.DOUBLE, 0.1):
            self._deliver_later(data, Fault.DOUBLE, "a report arrives twice", TIMEOUT_S)
        if self._faults.strikes(Fault.REORDER, 0.1):
            old = self._faults.dice[Fault.REORDER].choice(self.sent)
            self._deliver_later(old, Fault.REORDER, "an old report arrives again", LATE_S_MAX)
        if self._faults.strikes(Fault.DELAY, 0.05):
            self._deliver_later(data, Fault.DELAY, "a report is late", 8 * TIMEOUT_S)
            raise self._unanswered()
        answer = self._network.server.handle(self._robot, data)
        self.answered.append(data)
        return answer

    def _deliver_later(self, data: bytes, kind: Fault, what: str, late_s_max: float) -> None:
        delay_s = self._faults.dice[kind].uniform(0.0, late_s_max)
        self._faults.inject(kind, self._robot.robot_id, f"{what}, {delay_s:.0f} s from now")
        self._timeline.call(delay_s, lambda: self.deliver(data))

    def _unanswered(self) -> Interrupted:
        self._timeline.sleep(TIMEOUT_S)
        return Interrupted("server-unreachable", "No answer came.")

    def _latency_s(self) -> float:
        return LATENCY_S * self._faults.dice[Fault.DELAY].random()

    def _lose_power(self, when: str) -> None:
        if self._faults.strikes(Fault.POWER, 0.02):
            self._power.is_on = False
            raise PowerCut(f"Power cut {when}.")


def _either_way(answer: Answer, report: bytes) -> Answer:
    """Return the answer without its delta in half of all cases: faults must strike both ways to an image."""
    if answer.offer is None or zlib.crc32(report) % 2:
        return answer
    return answer.replace(offer=answer.offer.replace(delta=None))


class WorldDownload:
    """One open download, perhaps of bytes that nobody sent. Fills `shell.ports.Download`."""

    def __init__(self, faults: Faults, robot_id: str, file: bytes, first_byte: int) -> None:
        self._file = file
        self._place = first_byte
        self._breaks_at: int | None = None
        if faults.strikes(Fault.DOWNLOAD, 0.2):
            self._spoil(faults, robot_id)

    def read(self, length_bytes: int) -> bytes:
        """Return the next bytes; `Interrupted` where the way breaks."""
        if self._breaks_at is not None and self._place + length_bytes > self._breaks_at:
            raise Interrupted("download-interrupted", "The download broke off.")
        data = self._file[self._place : self._place + length_bytes]
        self._place += len(data)
        return data

    def close(self) -> None:
        """Nothing is held."""

    def _spoil(self, faults: Faults, robot_id: str) -> None:
        dice = faults.dice[Fault.DOWNLOAD]
        place = dice.randrange(min(self._place, len(self._file) - 1), len(self._file))
        how = dice.choice(("breaks off", "has a flipped bit", "is cut short", "is followed by rubbish"))
        if how == "breaks off":
            self._breaks_at = place
        elif how == "has a flipped bit":
            flipped = bytes([self._file[place] ^ 1 << dice.randrange(8)])
            self._file = self._file[:place] + flipped + self._file[place + 1 :]
        elif how == "is cut short":
            self._file = self._file[:place]
        else:
            self._file += dice.randbytes(5000)
        faults.inject(Fault.DOWNLOAD, robot_id, f"a download {how} at byte {place}")
