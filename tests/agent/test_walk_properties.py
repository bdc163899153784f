"""The agent in a world where anything may happen at any time: whatever comes, it stays in its table and comes home."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import agent_case as case
from agent.agent_case import NEW_FILE, OFFER, answer
from surefoot.agent import effects as do
from surefoot.agent import events as on
from surefoot.agent.values import SlotImage, Slots
from surefoot.wire.journal import Journal
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.offer import Delta
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TERMINAL_STATES, TRIAL, UNKNOWN, Report
from surefoot.wire.version import Version

BACK = case.offer_of(case.OLD, case.OLD_VERSION, id="back", rollback=True)
NEWER, NEWER_VERSION = b"newer" * 4000, Version(major=0, minor=4, patch=0)
AHEAD = case.offer_of(NEWER, NEWER_VERSION, id="ahead")
DELTA = Delta(url="https://fleet.example/d", sha256="de" * 32, size_bytes=99, source_digest=case.digest_of(case.OLD))
OFFERS = [
    OFFER,
    AHEAD,
    OFFER.replace(attempt=2),
    OFFER.replace(url="https://elsewhere.example/1"),
    OFFER.replace(id="again"),
    BACK,
    OFFER.replace(id="other", sku="heavy"),
    OFFER.replace(id="shorter", delta=DELTA),
    OFFER.replace(delta=DELTA),
]
FILES = {
    OFFER.sha256: NEW_FILE,
    BACK.sha256: case.file_of(case.OLD, case.OLD_VERSION),
    AHEAD.sha256: case.file_of(NEWER, NEWER_VERSION),
}
STEPS = 120


class World:
    """Flash, bootloader, server and bad luck around one agent."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.lucky = False
        self.saved: Journal | None = None
        self.running, self.spare_image = 0, b""
        self.images: list[bytes | None] = [case.OLD, None]
        self.states = [CONFIRMED, EMPTY]
        self.next_boot: int | None = None
        self.reports: list[Report] = []
        self.known: Report | None = None
        self.past_epochs: set[str] = set()
        self.boots = 0
        self.may_restart = False
        self.was_put_back = False
        self.flash_before: list[Callable[[], None]] = []

    def chance(self, label: str) -> bool:
        """Whether things go wrong now; only as long as luck is bad."""
        return not self.lucky and self.data.draw(st.integers(0, 5), label=label) == 0

    def slots(self) -> Slots:
        def image(index: int) -> SlotImage:
            found = self.images[index]
            digest = None if found is None else case.digest_of(found)
            version = "0.2.1" if found == case.OLD else ""
            return SlotImage(slot=f"ota_{index}", digest=digest, version=version, state=self.states[index])

        return case.slots_of(image(self.running), image(1 - self.running))

    def remember_flash(self, robot: case.Robot) -> None:
        """Keep all that is durable on the robot, so that it can be put back."""
        saved, running, next_boot, spare = robot.saved, self.running, self.next_boot, bytes(robot.spare)
        images, states = list(self.images), list(self.states)

        def put_back() -> None:
            robot.saved, robot.spare[:] = saved, spare
            self.running, self.next_boot = running, next_boot
            self.images, self.states = list(images), list(states)

        self.flash_before.append(put_back)

    def take(self, report: Report) -> bool:
        """Keep the greatest report, as the fleet does; return whether this one is out of date."""
        known = self.known
        if known is not None and report.epoch == known.epoch:
            if (report.boot, report.seq) < (known.boot, known.seq):
                return True
        elif report.epoch in self.past_epochs:
            return True
        elif known is not None:
            self.past_epochs.add(known.epoch)
        self.known = report
        return False

    def restart(self, robot: case.Robot) -> None:
        """Do what the bootloader does, and start the agent from what was recorded."""
        self.remember_flash(robot)
        if self.chance("the flash is put back"):
            self.was_put_back = True
            self.data.draw(st.sampled_from(self.flash_before), label="to when")()
        self.boots += 1
        self.may_restart = False
        if self.next_boot is not None:
            self.running, self.next_boot = self.next_boot, None
            self.states[self.running] = TRIAL
        elif self.states[self.running] != CONFIRMED:
            self.states[self.running] = ROLLED_BACK
            self.running = 1 - self.running
        assert self.images[self.running] is not None and self.states[self.running] in (CONFIRMED, TRIAL)
        robot.boots(self.slots(), fresh_epoch=f"epoch-{self.boots}")

    def act(self, robot: "WorldRobot", effect: do.Effect) -> None:
        """Change the world as an effect does."""
        spare = 1 - self.running
        if isinstance(effect, do.PrepareSpare):
            self.states[spare], self.images[spare] = UNKNOWN, None
            self.may_restart = False
        elif isinstance(effect, do.EraseBlock | do.WriteChunk):
            assert self.states[spare] == UNKNOWN, "it writes over an image that could still be booted"
        elif isinstance(effect, do.SetBootSlot):
            assert self.images[spare] is not None, "it would boot what is no image"
            assert self.may_restart, "it would restart without having asked since the image was judged"
            self.next_boot = spare if robot.stopped is None else None
        elif isinstance(effect, do.Confirm):
            self.states[self.running] = TRIAL if self.chance("the record does not hold") else CONFIRMED
        elif isinstance(effect, do.GoBack):
            self.states[self.running] = ROLLED_BACK

    def respond(self, robot: case.Robot, effect: do.Effect) -> on.Event | None:
        """Return what an effect ends in."""
        journal = robot.journal
        if isinstance(effect, do.Exchange):
            if self.chance("the report gets lost"):
                return on.Unreachable(code="server-unreachable")
            self.reports.append(effect.report)
            stale = self.take(effect.report)
            if self.chance("the answer gets lost"):
                return on.Unreachable(code="server-unreachable")
            said = effect.report.assignment
            ended = said is not None and said.state in TERMINAL_STATES
            offer = OFFER if self.lucky else self.data.draw(st.none() | st.sampled_from(OFFERS), label="offer")
            return answer(offer, said.id if said is not None and ended else None, None, stale)
        if isinstance(effect, do.Preflight):
            self.may_restart = not self.chance("busy")
            return on.PreflightPassed() if self.may_restart else on.PreflightHeld(code="held-motors")
        if isinstance(effect, do.DigestSpare):
            self.may_restart = False
            assert journal.offer is not None
            size = effect.size_bytes
            content = bytes(robot.spare[:size])
            if not self.chance("flash is damaged"):
                self.images[1 - self.running] = content
                return case.digested(effect.header + content, "0.2.1" if content == case.OLD else "")
            return case.digested(effect.header + b"damaged")
        if isinstance(effect, do.RunSelfTest):
            return on.SelfTestFailed(code="trial-failed") if self.chance("it fails") else on.SelfTestPassed()
        if isinstance(effect, do.Confirm):
            return on.Confirmed(slots=self.slots())
        if isinstance(effect, do.ScheduleRetry):
            return on.RetryDue()
        if isinstance(effect, do.ScheduleCheck):
            return on.CheckDue()
        return None

    def next_piece(self, robot: case.Robot, offset: int, length: int) -> on.Event:
        assert robot.journal.offer is not None
        if self.chance("the line breaks"):
            return on.DownloadFailed(code="download-interrupted")
        if self.chance("the file is gone"):
            return on.DownloadRefused(code="refused-image-gone")
        data = FILES[robot.journal.offer.sha256][offset : offset + length]
        if self.chance("a piece is cut short"):
            data = data[: (len(data) + 1) // 2]
        if self.chance("a byte flips"):
            data = data[:-1] + bytes((data[-1] ^ 0xFF,))
        return on.ChunkArrived(offset_bytes=offset, data=data)


class WorldRobot(case.Robot):
    """A robot whose effects happen to a world, which may cut its power before each of them."""

    def __init__(self, world: World) -> None:
        super().__init__(world.slots())
        self.world = world
        self.last: do.Effect | None = None
        self.rebooting = False
        self.stopped: on.Event | None = None
        self.place = (0, 0)

    def _note(self, effect: do.Effect) -> None:
        if self.rebooting or self.stopped is not None:
            return
        if self.world.chance("the power fails"):
            self.rebooting = True
            return
        super()._note(effect)
        if isinstance(effect, do.SetBootSlot):
            assert self.journal.offer is not None
            for label, event in (
                ("the boot slot cannot be set", on.BootSlotRefused(code="damaged-flash")),
                ("it began to work", on.PreflightHeld(code="held-motors")),
                ("the server cancels", answer(cancelled=self.journal.offer.id)),
            ):
                if self.stopped is None and self.world.chance(label):
                    self.stopped = event
        self.world.act(self, effect)
        self.last = effect
        if isinstance(effect, do.Fetch):
            self.place = (effect.first_byte, effect.first_chunk_bytes)
        self.rebooting = isinstance(effect, do.Reboot)

    def live(self, steps: int) -> None:
        """Go on for so many events."""
        for _ in range(steps):
            if self.rebooting:
                self.rebooting, self.last, self.stopped = False, None, None
                self.world.restart(self)
                continue
            if self.stopped is not None:
                stopped, self.stopped, self.last = self.stopped, None, None
                self.on(stopped)
                continue
            assert self.last is not None or self.fetch is not None
            event = None if self.last is None else self.world.respond(self, self.last)
            if event is None:
                offset, length = self.place
                event = self.world.next_piece(self, offset, length)
                if isinstance(event, on.ChunkArrived):
                    self.place = (offset + len(event.data), CHUNK_BYTES)
            self.last = None
            self.on(event)


@settings(max_examples=60)
@given(st.data())
def test_whatever_happens_the_agent_stays_in_its_table_and_comes_home(data: st.DataObject) -> None:
    world = World(data)
    robot = WorldRobot(world)
    world.restart(robot)
    robot.live(STEPS)
    assert all(report.running.state in (CONFIRMED, TRIAL) for report in world.reports)
    order = [(report.boot, report.seq) for report in world.reports]
    assert world.was_put_back or order == sorted(set(order)), "reports can be put in order"
    assert world.was_put_back or len({report.epoch for report in world.reports}) <= 1, "no epoch begins without need"
    world.lucky = True
    robot.live(STEPS)
    assert robot.saved is not None
    assert robot.saved.state in (*TERMINAL_STATES, "idle")
    running = world.slots().running
    assert running.state == CONFIRMED
    if robot.saved.state == "installed":
        assert robot.saved.offer is not None and running.digest == robot.saved.offer.digest
    said = world.known
    assert said is not None, "the server listens to it"
    assert (said.running.digest, said.running.state) == (running.digest, running.state)
    assert (said.assignment and said.assignment.state) == (None if robot.saved.offer is None else robot.saved.state)
