"""The runner between a real agent and ports in memory: what it passes on, and what it keeps from the agent."""

import pytest

from agent.agent_case import IDENTITY, NEW, NEW_FILE, OFFER, OLD
from shell.fakes import BLOCK_BYTES, MemoryJournal, MemoryServer, MemorySlots, PowerCut, QuietHost
from shell.restarts import journal_in
from surefoot.agent.download import RETRIES_MAX
from surefoot.shell.runner import Runner
from surefoot.wire.errors import Damaged, Interrupted, Refused
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.journal import Journal, encode_journal, load_journal
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import CONFIRMED, Report

BOOTS_MAX = 8


class Bench:
    """A robot on the bench: its ports outlive every restart, its agent does not."""

    def __init__(self, offer: Offer | None = OFFER, file: bytes = NEW_FILE) -> None:
        self.slots = MemorySlots(OLD)
        self.storage = MemoryJournal()
        self.server = MemoryServer(file, offer)
        self.host = QuietHost()
        self.cancelled: set[str] = set()
        self.runner: Runner | None = None
        self.boots = 0
        self.restarts = 0

    def start(self) -> int | None:
        """Boot once; return what the runner says."""
        self.slots.boot()
        self.boots += 1
        self.runner = Runner(
            IDENTITY, self.slots, self.storage, self.server, self.host, is_cancelled=self.cancelled.__contains__
        )
        return self.runner.start(f"epoch-{self.boots}")

    def run(self) -> int:
        """Boot as often as it takes, as the watchdog would after a crash."""
        for _ in range(BOOTS_MAX):
            try:
                delay_s = self.start()
            except PowerCut:
                delay_s = None
            if delay_s is not None:
                return delay_s
            self.restarts += 1
        raise AssertionError("it restarts for ever")

    @property
    def journal(self) -> Journal:
        return journal_in(self.storage)

    @property
    def installed(self) -> bool:
        running = self.slots.look().running
        return self.journal.state == "installed" and running.digest == OFFER.digest and running.state == CONFIRMED


def test_an_update_runs_from_boot_to_acknowledgement() -> None:
    bench = Bench()
    assert bench.run() == 600
    assert bench.restarts == 1
    assert bench.installed and bench.journal.acknowledged
    assert bench.slots.images[1][: len(NEW)] == NEW
    said = [None if report.assignment is None else report.assignment.state for report in bench.server.reports]
    assert said == [None, "staged", "trial", "installed"]


def test_a_download_is_read_in_exactly_the_pieces_that_were_asked_for() -> None:
    bench = Bench()
    bench.run()
    (download,) = bench.server.downloads
    assert download.lengths == [HEADER_BYTES] + [CHUNK_BYTES] * 5
    filled = [entry for entry in bench.slots.log if not entry.startswith("read")]
    assert filled == ["prepare", "erase 0", f"erase {BLOCK_BYTES}", f"erase {2 * BLOCK_BYTES}"]
    assert bench.slots.log[len(filled) :] == [f"read {chunk * CHUNK_BYTES}" for chunk in range(5)]


def test_copies_of_the_journal_are_written_in_turn() -> None:
    bench = Bench()
    bench.run()
    assert bench.storage.written == [index % 2 for index in range(len(bench.storage.written))]


def test_a_broken_download_is_taken_up_again_after_a_pause() -> None:
    bench = Bench()
    bench.server.breaks_at = [HEADER_BYTES + BLOCK_BYTES + 5000, HEADER_BYTES + BLOCK_BYTES + 6000]
    bench.run()
    assert bench.installed
    assert bench.server.first_bytes == [0, HEADER_BYTES + BLOCK_BYTES, HEADER_BYTES + BLOCK_BYTES]
    assert bench.host.pauses == [30, 60]
    assert bench.server.everything_is_closed


@pytest.mark.parametrize("more_bytes", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES])
def test_a_download_that_ends_early_is_an_interrupted_one(more_bytes: int) -> None:
    bench = Bench(OFFER.replace(size_bytes=None), NEW_FILE[: HEADER_BYTES + BLOCK_BYTES + more_bytes])
    assert bench.run() is not None
    assert len(bench.host.pauses) == RETRIES_MAX
    whole_bytes = BLOCK_BYTES + more_bytes // CHUNK_BYTES * CHUNK_BYTES
    assert bench.slots.images[1][whole_bytes : whole_bytes + CHUNK_BYTES] == b"\xff" * CHUNK_BYTES
    assert bench.journal.state == "downloading" and bench.journal.received_bytes == BLOCK_BYTES
    assert bench.server.everything_is_closed
    assert bench.runner is not None and bench.runner.state is not None
    assert bench.runner.state.hold == "download-interrupted"


def test_a_download_that_cannot_be_opened_is_tried_again_or_refused() -> None:
    bench = Bench()
    bench.server.open_errors = [Interrupted("server-unreachable", "No route: look at the network.")]
    bench.run()
    assert bench.installed
    gone = Bench()
    gone.server.open_errors = [Refused("refused-image-gone", "Not served any more: offer another.")]
    gone.run()
    assert (gone.journal.state, gone.journal.code) == ("refused", "refused-image-gone")


def test_a_server_that_cannot_be_used_is_an_unreachable_one() -> None:
    for error in (Interrupted("server-unreachable", "No route."), Refused("refused-answer-format", "No JSON.")):
        bench = Bench()
        bench.server.unreachable = error
        assert bench.run() == 6 * 3600
        assert any(line.startswith(error.code) for line in bench.host.lines)
        bench.server.unreachable = None
        assert bench.runner is not None
        assert bench.runner.check() is None, "it has an update to restart for"


def test_a_robot_on_trial_confirms_without_the_server() -> None:
    bench = Bench()
    assert bench.start() is None
    bench.server.unreachable = Interrupted("server-unreachable", "No route.")
    bench.run()
    assert bench.installed and not bench.journal.acknowledged
    bench.server.unreachable = None
    assert bench.runner is not None
    assert bench.runner.check() == 600
    assert bench.journal.acknowledged


def test_a_held_robot_keeps_its_slot_untouched_until_it_is_let() -> None:
    bench = Bench()
    bench.host.hold = "held-motors"
    assert bench.run() == 60
    assert bench.slots.log == [] and bench.server.first_bytes == []
    assert bench.runner is not None
    assert bench.runner.check() == 60
    said = bench.server.reports[-1].assignment
    assert said is not None and (said.state, said.code) == ("downloading", "held-motors")
    bench.host.hold = None
    assert bench.runner.check() is None
    bench.run()
    assert bench.installed


def test_a_failed_self_test_ends_on_the_old_image_with_its_code() -> None:
    bench = Bench()
    bench.host.failing_check = "relay"
    bench.run()
    assert bench.restarts == 2
    assert (bench.journal.state, bench.journal.code) == ("rolled_back", "trial-failed-relay")
    assert bench.slots.look().running.slot == "ota_0"


def test_a_crash_on_trial_ends_on_the_old_image() -> None:
    bench = Bench()
    bench.host.crashes = True
    bench.run()
    assert (bench.journal.state, bench.journal.code) == ("rolled_back", "trial-interrupted")
    assert bench.slots.look().running.slot == "ota_0"


def test_a_confirmation_that_does_not_read_back_ends_on_the_old_image() -> None:
    bench = Bench()
    bench.slots.confirms = False
    bench.run()
    assert (bench.journal.state, bench.journal.code) == ("rolled_back", "confirm-failed")


def test_a_boot_slot_that_cannot_be_set_is_told_without_a_restart() -> None:
    for error in (Damaged("damaged-flash", "The record did not hold."), Refused("refused-image-format", "No image.")):
        bench = Bench()
        bench.slots.boot_refusal = error
        assert bench.run() == 600
        assert bench.restarts == 0 and bench.slots.look().running.digest != OFFER.digest
        assert (bench.journal.state, bench.journal.code) == ("rolled_back", "stage-failed")
        said = bench.server.reports[-1].assignment
        assert said is not None and said.code == "stage-failed"


def test_an_image_that_the_driver_cannot_read_is_refused_with_its_code() -> None:
    bench = Bench()
    bench.slots.image_refusal = Refused("refused-image-format", "No image: build it again.")
    bench.run()
    assert (bench.journal.state, bench.journal.code) == ("refused", "refused-image-format")


def test_a_damaged_file_is_fetched_again_and_then_refused() -> None:
    damaged = NEW_FILE[:-1] + b"?"
    bench = Bench(file=damaged)
    bench.run()
    assert (bench.journal.state, bench.journal.code) == ("refused", "refused-sha256")
    assert len(bench.server.downloads) == 3 and bench.server.everything_is_closed


def test_a_newer_assignment_closes_the_download_of_the_old_one() -> None:
    bench = Bench()
    bench.server.breaks_at = [HEADER_BYTES + 5000] * 6
    assert bench.run() is not None
    assert bench.server.everything_is_closed
    bench.server.offer = OFFER.replace(id="assignment-2")
    assert bench.runner is not None
    assert bench.runner.check() is None
    assert bench.server.everything_is_closed


def test_a_file_that_moved_is_fetched_on_from_where_it_lies_now() -> None:
    bench = Bench()
    bench.server.breaks_at = [HEADER_BYTES + BLOCK_BYTES + 5000] * (RETRIES_MAX + 1)
    assert bench.run() is not None
    bench.server.offer = OFFER.replace(url="https://elsewhere.example/1")
    assert bench.runner is not None
    assert bench.runner.check() is None
    assert bench.server.first_bytes == [0] + [HEADER_BYTES + BLOCK_BYTES] * (RETRIES_MAX + 1)
    bench.run()
    assert bench.installed


def test_a_robot_that_began_to_work_during_the_download_restarts_when_it_is_done() -> None:
    bench = Bench()
    bench.host.holds = [None, None, "held-motors", "held-battery"]
    assert bench.run() == 60
    assert bench.runner is not None
    assert bench.runner.check() == 60
    assert (bench.slots.tries, bench.journal.state, bench.journal.attempts) == (None, "verifying", 0)
    said = bench.server.reports[-1].assignment
    assert said is not None and (said.state, said.code) == ("verifying", "held-motors")
    read_before = len(bench.slots.log)
    assert bench.runner.check() is None
    assert len(bench.slots.log) == read_before, "an image that was believed is not read again"
    bench.run()
    assert bench.installed and bench.journal.attempts == 1


def test_a_robot_that_began_to_work_while_it_told_the_server_is_not_restarted() -> None:
    bench = Bench()
    bench.host.holds = [None, None, None, "held-motors"]
    assert bench.run() == 60
    assert (bench.slots.tries, bench.journal.state, bench.journal.attempts) == (None, "verifying", 0)
    assert bench.runner is not None
    assert bench.runner.check() is None
    bench.run()
    assert bench.installed and bench.journal.attempts == 1


def test_a_cancel_that_comes_behind_the_servers_last_answer_still_keeps_the_robot_from_restarting() -> None:
    bench = Bench()
    answer_to = bench.server.exchange

    def halted_right_after(report: Report) -> Answer:
        answer = answer_to(report)
        if report.assignment is not None and report.assignment.state == "staged":
            bench.cancelled.add(report.assignment.id)
        return answer

    bench.server.exchange = halted_right_after  # type: ignore[method-assign]
    assert bench.run() == 600
    assert bench.restarts == 0 and bench.slots.tries is None
    assert (bench.journal.state, bench.journal.code) == ("refused", "cancelled")


@pytest.mark.parametrize("room_bytes", [0, CHUNK_BYTES, BLOCK_BYTES, BLOCK_BYTES + CHUNK_BYTES, len(NEW) - 1])
def test_storage_that_takes_no_more_is_waited_for_and_reported(room_bytes: int) -> None:
    bench = Bench()
    bench.slots.room_bytes = room_bytes
    assert bench.run() > 0
    whole_bytes = room_bytes // BLOCK_BYTES * BLOCK_BYTES
    assert (bench.journal.state, bench.journal.received_bytes) == ("downloading", whole_bytes)
    assert len(bench.host.pauses) == RETRIES_MAX and bench.server.everything_is_closed
    assert bench.runner is not None
    bench.runner.check()
    said = bench.server.reports[-1].assignment
    assert said is not None and (said.state, said.code) == ("downloading", "interrupted-storage")
    bench.slots.room_bytes = 65536
    assert bench.runner.check() is None
    bench.run()
    assert bench.installed and bench.journal.restarts == 0


def test_a_slot_that_reads_short_holds_a_damaged_image() -> None:
    bench = Bench()
    bench.slots.readable_bytes = CHUNK_BYTES + 100
    bench.run()
    assert (bench.journal.state, bench.journal.code) == ("refused", "refused-sha256")


def test_a_robot_whose_journal_was_put_back_is_heard_again_in_a_new_epoch() -> None:
    bench = Bench(offer=None)
    bench.run()
    earlier = list(bench.storage.copies)
    for _ in range(3):
        bench.run()
    bench.storage.copies = earlier
    bench.run()
    assert [report.epoch for report in bench.server.reports] == ["epoch-1"] * 5 + ["epoch-5"]
    assert bench.server.known == bench.server.reports[-1]
    assert bench.runner is not None
    bench.runner.check()
    bench.run()
    assert bench.server.known == bench.server.reports[-1]
    assert {report.epoch for report in bench.server.reports} == {"epoch-1", "epoch-5"}


def test_an_update_of_a_robot_whose_journal_was_put_back_is_heard_to_its_end() -> None:
    bench = Bench(offer=None)
    bench.run()
    earlier = list(bench.storage.copies)
    for _ in range(3):
        bench.run()
    bench.storage.copies, bench.server.offer = earlier, OFFER
    bench.run()
    assert bench.installed and bench.journal.acknowledged
    assert bench.server.known is not None and bench.server.known.assignment is not None
    assert bench.server.known.assignment.state == "installed"


def test_nothing_stays_open_when_the_power_fails_in_the_middle_of_a_download() -> None:
    bench = Bench()
    # The boot, the offer, the first block.
    bench.storage.cut_at = 3
    with pytest.raises(PowerCut):
        bench.start()
    assert bench.server.downloads and bench.server.everything_is_closed


def test_nothing_stays_open_when_flash_breaks() -> None:
    bench = Bench()

    def broken(offset_bytes: int, data: bytes) -> None:
        raise Damaged("damaged-flash", "The sector does not hold: look at the flash.")

    bench.slots.write = broken  # type: ignore[method-assign]
    with pytest.raises(Damaged):
        bench.start()
    assert bench.server.everything_is_closed


def test_both_copies_unreadable_is_said_to_people_and_to_the_server() -> None:
    bench = Bench(offer=None)
    bench.storage.copies = [b"garbage", b"garbage"]
    bench.run()
    assert bench.server.reports[0].code == "damaged-journal"
    assert any(line.startswith("damaged-journal") for line in bench.host.lines)


def test_the_counter_goes_on_from_what_was_loaded() -> None:
    bench = Bench(offer=None)
    bench.run()
    before = load_journal(bench.storage.read_copies())
    bench.run()
    after = load_journal(bench.storage.read_copies())
    assert after.counter == before.counter + 1 and after.next_copy != before.next_copy


@pytest.mark.parametrize("cut_at", range(1, 12))
def test_power_that_fails_in_any_write_of_the_journal_costs_nothing_but_time(cut_at: int) -> None:
    bench = Bench()
    bench.storage.cut_at = cut_at
    bench.run()
    if bench.journal.state == "rolled_back":
        assert bench.journal.code in {"trial-interrupted", "confirm-interrupted"}
        bench.server.offer = OFFER.replace(attempt=2)
        assert bench.runner is not None
        assert bench.runner.check() is None
        bench.run()
    assert bench.installed
    boots = [(report.epoch, report.boot, report.seq) for report in bench.server.reports]
    assert boots == sorted(set(boots)), "reports are in order, none twice"


def test_what_was_asked_before_the_start_is_a_mistake() -> None:
    bench = Bench()
    runner = Runner(IDENTITY, bench.slots, bench.storage, bench.server, bench.host)
    with pytest.raises(AssertionError):
        runner.check()


def test_a_journal_of_another_program_goes_back_never_on() -> None:
    bench = Bench()
    bench.run()
    retired = encode_journal(bench.journal, 99).replace(b"installed", b"departed!")
    bench.storage.copies = [retired, b""]
    bench.server.offer = None
    bench.run()
    assert bench.server.reports[-1].code == "damaged-journal"
    assert bench.slots.look().running.digest == OFFER.digest
