"""Whole updates whose reports go over MQTT, and what happens when that way breaks. Runs on MicroPython too."""

from agent.agent_case import IDENTITY, NEW_FILE, OFFER, OLD
from shell.fakes import MemoryJournal, MemoryServer, MemorySlots, QuietHost
from shell.mqtt_fakes import MemoryLink, TimedEar
from surefoot.shell.mqtt import ANSWER_TIMEOUT_MS, RECONNECT_MS_MAX, MqttTransport, reconnect_pause_ms
from surefoot.shell.runner import Runner
from surefoot.wire.command import cancel_command, encode_command, encode_nudge
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.journal import load_journal
from surefoot.wire.report import CONFIRMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shell.fakes import MemoryDownload
    from surefoot.agent.values import AgentState
    from surefoot.wire.journal import Journal
    from surefoot.wire.offer import Answer
    from surefoot.wire.report import Report

CANCEL = encode_command(cancel_command(OFFER.id))


class HttpsSide:
    """The same server over HTTPS, with counts of what goes that way. Fills `shell.ports.Transport`."""

    def __init__(self, server: MemoryServer, ear: TimedEar) -> None:
        self.server = server
        self.ear = ear
        self.exchanges = 0
        self.cancel_at_byte: "int | None" = None

    def exchange(self, report: "Report") -> "Answer":
        self.exchanges += 1
        return self.server.exchange(report)

    def open(self, url: str, sha256: str, first_byte: int) -> "MemoryDownload":
        download = self.server.open(url, sha256, first_byte)
        if self.cancel_at_byte is not None:
            # Downloading takes no time here; what is told while it goes on is told when it is asked for that byte.
            read, ear, left = download.read, self.ear, [self.cancel_at_byte - first_byte]

            def read_and_tell(length_bytes: int) -> bytes:
                left[0] -= length_bytes
                if left[0] <= 0 < left[0] + length_bytes:
                    ear.tell(CANCEL)
                return read(length_bytes)

            download.read = read_and_tell  # type: ignore[method-assign]
        return download


class Bench:
    """A robot whose reports go over MQTT."""

    def __init__(self) -> None:
        self.slots = MemorySlots(OLD)
        self.storage = MemoryJournal()
        self.server = MemoryServer(NEW_FILE, OFFER)
        self.host = QuietHost()
        self.ear = TimedEar()
        self.attention = self.ear.attention()
        self.link = MemoryLink(self.ear, self.server)
        self.https = HttpsSide(self.server, self.ear)
        self.transport = MqttTransport(self.link, self.attention, self.https, self.host.log)
        self.runner: "Runner | None" = None
        self.boots = 0

    def start(self) -> "int | None":
        self.slots.boot()
        self.boots += 1
        self.runner = Runner(
            IDENTITY,
            self.slots,
            self.storage,
            self.transport,
            self.host,
            is_cancelled=self.attention.is_cancelled,
        )
        return self.runner.start(f"epoch-{self.boots}")

    def run(self) -> int:
        for _ in range(8):
            delay_s = self.start()
            if delay_s is not None:
                return delay_s
        raise AssertionError("it restarts for ever")

    def check(self) -> "int | None":
        assert self.runner is not None
        return self.runner.check()

    @property
    def state(self) -> "AgentState":
        assert self.runner is not None and self.runner.state is not None
        return self.runner.state

    @property
    def journal(self) -> "Journal":
        journal = load_journal(self.storage.read_copies()).journal
        assert journal is not None
        return journal


def test_an_update_runs_over_mqtt_as_it_does_over_https() -> None:
    bench = Bench()
    assert bench.run() == 600
    assert bench.slots.look().running.digest == OFFER.digest
    assert bench.slots.look().running.state == CONFIRMED
    assert bench.journal.acknowledged
    said = [None if report.assignment is None else report.assignment.state for report in bench.server.reports]
    assert said == [None, "staged", "trial", "installed"]
    assert bench.https.exchanges == 0
    assert {topic for topic, _ in bench.link.published} == {f"fleet/{IDENTITY.robot_id}/report"}


def test_without_a_broker_the_robot_asks_over_https_at_once() -> None:
    bench = Bench()
    bench.link.is_up = False
    assert bench.run() == 600
    assert bench.journal.acknowledged and bench.https.exchanges == 4
    assert bench.ear.now_ms == 1000


def test_when_nobody_answers_the_same_report_goes_over_https() -> None:
    bench = Bench()
    bench.link.answers = False
    bench.server.offer = None
    assert bench.run() == 600
    assert (len(bench.link.published), bench.https.exchanges) == (1, 1)
    assert bench.ear.now_ms == 1000 + ANSWER_TIMEOUT_MS
    assert len(bench.server.reports) == 1 and bench.server.reports[0].seq == 1


def test_a_refused_report_ends_as_over_https_and_is_not_asked_there_again() -> None:
    bench = Bench()
    bench.server.offer = None
    bench.run()
    bench.server.unreachable = Refused("refused-sku-mismatch", "Robot robot-001 is enrolled as other.")
    before_ms = bench.ear.now_ms
    over_mqtt = bench.check()
    assert bench.ear.now_ms - before_ms == 50, "told at once"
    assert bench.https.exchanges == 0
    assert bench.host.lines[-1].startswith("refused-sku-mismatch: Robot robot-001 is enrolled as other.")
    bench.link.is_up = False
    assert bench.check() == over_mqtt and bench.https.exchanges == 1


def test_with_neither_way_the_robot_is_unheard_and_tries_again() -> None:
    bench = Bench()
    bench.link.is_up = False
    bench.server.unreachable = Interrupted("server-unreachable", "No route.")
    assert bench.run() == 6 * 3600


def test_an_answer_that_comes_after_its_time_changes_nothing() -> None:
    bench = Bench()
    bench.link.answers = False
    bench.server.offer = None
    bench.run()
    late = bench.server.reports[0]
    bench.server.offer = OFFER
    bench.ear.tell(bench.link.answer(late))
    bench.link.answers = True
    bench.server.offer = None
    assert bench.check() == 600
    assert bench.journal.offer is None, "the offer was the answer to an older report"


def test_a_nudge_is_no_offer() -> None:
    bench = Bench()
    bench.server.offer = None
    bench.run()
    bench.ear.tell(encode_nudge(OFFER))
    bench.attention.rest(600_000)
    assert bench.ear.now_ms < 600_000
    assert bench.check() == 600
    assert bench.journal.offer is None and bench.server.downloads == []


def test_a_cancel_amid_a_download_ends_it_and_leaves_the_running_image_untouched() -> None:
    for first_byte in range(HEADER_BYTES - 1, len(NEW_FILE) + 1, 1500):
        bench = Bench()
        bench.https.cancel_at_byte = first_byte
        bench.start()
        if bench.journal.state == "staged":
            assert first_byte > len(NEW_FILE) - 4096, "only behind the last piece it is too late for this word"
            continue
        assert (bench.journal.state, bench.journal.code) == ("refused", "cancelled")
        assert bench.server.everything_is_closed
        assert bench.slots.look().running.digest != OFFER.digest
        assert bench.slots.images[0][: len(OLD)] == OLD and bench.slots.tries is None
        said = bench.server.reports[-1].assignment
        assert said is not None and (said.state, said.code) == ("refused", "cancelled")
        assert bench.journal.acknowledged
        bench.run()
        assert bench.slots.look().running.state == CONFIRMED


def test_a_cancelled_assignment_is_taken_again_when_it_is_offered_anew() -> None:
    bench = Bench()
    bench.https.cancel_at_byte = 10_000
    bench.start()
    bench.https.cancel_at_byte = None
    bench.server.offer = OFFER.replace(attempt=2)
    assert bench.check() is None, "what was heard before the new offer is over"
    bench.run()
    assert bench.journal.state == "installed"


def test_a_cancel_of_another_assignment_stops_nothing() -> None:
    bench = Bench()
    bench.ear.tell(encode_command(cancel_command("assignment-9")))
    bench.run()
    assert bench.journal.state == "installed"
    assert bench.server.first_bytes == [0], "not even for a moment"


def test_a_cancel_between_two_tries_of_a_download_ends_it() -> None:
    bench = Bench()
    bench.server.breaks_at = [10_000]
    bench.host.pause = lambda delay_s: bench.ear.tell(CANCEL)  # type: ignore[method-assign]
    bench.start()
    assert (bench.journal.state, bench.journal.code) == ("refused", "cancelled")
    assert len(bench.server.downloads) == 1


def test_a_cancel_is_heeded_though_the_server_cannot_be_reached() -> None:
    bench = Bench()
    bench.host.holds = [None, "held-motors"]
    bench.run()
    assert bench.journal.state == "verifying"
    bench.server.unreachable = Interrupted("server-unreachable", "No route.")
    bench.link.is_up = False
    bench.ear.tell(CANCEL)
    began_ms = bench.ear.now_ms
    bench.attention.rest(60_000)
    assert bench.ear.now_ms == began_ms
    bench.check()
    assert (bench.journal.state, bench.journal.code) == ("refused", "cancelled")


def test_at_rest_a_cancel_changes_nothing_and_an_ending_is_still_told_soon() -> None:
    bench = Bench()
    assert bench.start() is None
    bench.server.unreachable = Interrupted("server-unreachable", "No route.")
    bench.link.is_up = False
    assert bench.run() == 30
    bench.ear.tell(CANCEL)
    assert bench.check() == 60
    assert bench.journal.state == "installed" and not bench.journal.acknowledged
    bench.server.unreachable = None
    assert bench.check() == 600
    assert bench.journal.acknowledged


def test_a_health_window_goes_to_its_own_topic() -> None:
    bench = Bench()
    assert bench.transport.publish_health("robot-001", b"{}")
    assert bench.link.published == [("fleet/robot-001/health", b"{}")]
    bench.link.is_up = False
    assert not bench.transport.publish_health("robot-001", b"{}")


def test_pauses_before_connecting_again_double_up_to_a_minute_and_are_left_to_chance() -> None:
    limits: "list[int]" = []

    def jitter_ms(limit_ms: int) -> int:
        limits.append(limit_ms)
        return 0

    assert {reconnect_pause_ms(failures, jitter_ms) for failures in range(100)} == {0}
    assert limits[:7] == [1000, 2000, 4000, 8000, 16_000, 32_000, RECONNECT_MS_MAX]
    assert set(limits[6:]) == {RECONNECT_MS_MAX}
