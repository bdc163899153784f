"""A delta that stands for the full file, under a runner with ports in memory."""

import itertools

import pytest

from agent.agent_case import IDENTITY, NEW, NEW_FILE, NEW_VERSION, OFFER, OLD, digest_of, file_of
from shell.fakes import (
    BLOCK_BYTES,
    MemoryDownload,
    MemoryJournal,
    MemoryServer,
    MemorySlots,
    QuietHost,
)
from shell.restarts import journal_in, live
from support import code_of, reader_of
from surefoot.shell.inflate import inflate
from surefoot.shell.patching import PatchedDownload, open_patched
from surefoot.shell.runner import Runner
from surefoot.wire.delta import HEAD_BYTES
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.journal import Journal
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.offer import Delta
from wire.delta_case import delta_file, patch_of

FILE = delta_file(OLD, NEW_FILE)


def said_of(file: bytes, source: bytes = OLD) -> Delta:
    return Delta(url="delta", sha256=digest_of(file), size_bytes=len(file), source_digest=digest_of(source))


def opened(file: bytes = FILE, first_byte: int = 0, source: bytes = OLD) -> PatchedDownload:
    return open_patched(MemoryDownload(file, 0, None), said_of(FILE, source), reader_of(source), inflate, first_byte)


class Bench:
    """A robot that is offered a delta; its ports outlive every restart, its agent does not."""

    def __init__(self, file: bytes = FILE) -> None:
        self.slots = MemorySlots(OLD)
        self.storage = MemoryJournal()
        self.server = MemoryServer(NEW_FILE, OFFER.replace(delta=said_of(file)))
        self.server.delta_file = file
        self.host = QuietHost()

    def start(self) -> int | None:
        self.slots.boot()
        return Runner(IDENTITY, self.slots, self.storage, self.server, self.host, inflate).start("epoch")

    def run(self) -> "Bench":
        live(self.start)
        return self

    @property
    def journal(self) -> Journal:
        return journal_in(self.storage)

    @property
    def installed(self) -> bool:
        return self.journal.state == "installed" and self.slots.look().running.digest == OFFER.digest

    @property
    def full_downloads(self) -> int:
        return len(self.server.first_bytes) - self.server.deltas_opened


def test_what_is_read_is_the_full_file_in_exactly_the_pieces_that_were_asked_for() -> None:
    download = opened()
    assert download.read(HEADER_BYTES) == NEW_FILE[:HEADER_BYTES]
    pieces = [download.read(CHUNK_BYTES) for _ in range(5)]
    assert b"".join(pieces) == NEW
    assert [len(piece) for piece in pieces] == [CHUNK_BYTES] * 4 + [len(NEW) - 4 * CHUNK_BYTES]
    assert download.read(CHUNK_BYTES) == b""


@pytest.mark.parametrize("first_byte", [1, HEADER_BYTES, HEADER_BYTES + 511, HEADER_BYTES + 8192, len(NEW_FILE)])
def test_it_can_be_followed_from_any_byte_on(first_byte: int) -> None:
    download = opened(first_byte=first_byte)
    assert download.read(len(NEW_FILE)) == NEW_FILE[first_byte:]


def test_a_delta_that_cannot_be_opened_is_refused_and_its_download_closed() -> None:
    broken_header = FILE[:36] + bytes(HEADER_BYTES) + FILE[HEAD_BYTES:]
    for file, source, first_byte, code in (
        (b"", OLD, 0, "refused-delta"),
        (FILE[: HEAD_BYTES - 1], OLD, 0, "refused-delta"),
        (FILE, NEW, 0, "refused-delta"),
        (broken_header, OLD, 0, "refused-image-format"),
        (FILE, OLD, len(NEW_FILE) + 1, "refused-delta"),
        (FILE[:HEAD_BYTES] + b"\0" * 99, OLD, HEADER_BYTES + 1, "refused-delta"),
    ):
        download = MemoryDownload(file, 0, None)
        said = said_of(FILE, source)
        assert code_of(open_patched, download, said, reader_of(source), inflate, first_byte) == code
        assert not download.is_open


def test_no_more_is_read_than_the_offer_promised() -> None:
    download = MemoryDownload(FILE + b"more" * 1000, 0, None)
    delta = said_of(FILE).replace(size_bytes=len(FILE) - 400)
    patched = open_patched(download, delta, reader_of(OLD), inflate, 0)
    assert code_of(patched.read, len(NEW_FILE)) == "refused-delta"


def test_a_robot_updates_by_a_delta_and_never_asks_for_the_full_file() -> None:
    bench = Bench().run()
    assert bench.installed and bench.journal.acknowledged and bench.journal.attempts == 1
    assert bench.slots.images[1][: len(NEW)] == NEW
    assert (bench.server.deltas_opened, bench.full_downloads) == (1, 0)
    assert bench.server.everything_is_closed
    assert bench.server.reports[0].accepts == ("sfd1",)


def test_without_an_inflater_or_a_running_slot_to_read_a_robot_takes_no_delta() -> None:
    bench = Bench()
    runner = Runner(IDENTITY, bench.slots, bench.storage, bench.server, bench.host)
    runner.start("epoch")
    assert bench.server.reports[0].accepts == ()
    assert (bench.server.deltas_opened, bench.full_downloads) == (0, 1)

    unreadable = Bench()
    unreadable.slots.read_running = lambda offset_bytes, length_bytes: b""  # type: ignore[method-assign]
    unreadable.run()
    assert unreadable.installed and unreadable.server.deltas_opened == 0


WRONG = NEW[:-40] + b"wrong" + NEW[-35:]
LONGER = file_of(NEW + b"more", NEW_VERSION)
DAMAGED = {
    "empty": b"",
    "cut in its head": FILE[:100],
    "cut in its patch": FILE[: len(FILE) // 2],
    "packed with a larger window": FILE[:HEAD_BYTES] + b"\x78\xda" + FILE[HEAD_BYTES + 2 :],
    "with a flipped bit": FILE[:5000] + bytes([FILE[5000] ^ 1]) + FILE[5001:],
    "for another image": delta_file(NEW, NEW_FILE),
    "to another image": delta_file(OLD, LONGER),
    "to the running image": delta_file(OLD, file_of(OLD, NEW_VERSION)),
    "to wrong bytes": delta_file(OLD, NEW_FILE, patch_of(len(NEW), (b"", WRONG, 0))),
    "of rubbish": delta_file(OLD, NEW_FILE, b"\xff" * 300),
    "of nothing": delta_file(OLD, NEW_FILE, patch_of(len(NEW)) + bytes(30000)),
}


@pytest.mark.parametrize("file", DAMAGED.values(), ids=DAMAGED)
def test_a_delta_that_is_damaged_ends_in_the_full_file_without_burning_an_attempt(file: bytes) -> None:
    bench = Bench(file).run()
    assert bench.installed and bench.slots.images[1][: len(NEW)] == NEW
    assert (bench.server.deltas_opened, bench.full_downloads) == (1, 1)
    assert (bench.journal.attempts, bench.journal.restarts) == (1, 0)
    assert all(report.assignment is None or report.assignment.attempts <= 1 for report in bench.server.reports)
    assert bench.server.everything_is_closed


def test_a_delta_that_is_gone_ends_in_the_full_file() -> None:
    bench = Bench()
    bench.server.open_errors = [Refused("refused-image-gone", "There is no such delta.")]
    assert bench.run().installed
    assert (bench.server.deltas_opened, bench.full_downloads, bench.journal.attempts) == (1, 1, 1)


def test_a_broken_way_is_taken_up_again_by_the_delta_from_the_recorded_block() -> None:
    bench = Bench()
    bench.server.breaks_at = [HEAD_BYTES + 12000]
    assert bench.run().installed
    assert (bench.server.deltas_opened, bench.full_downloads) == (2, 0)
    erased = [entry for entry in bench.slots.log if entry.startswith("erase")]
    assert erased.count("erase 0") == 1, "what was recorded is not written again"


def test_a_way_that_never_lasts_for_a_delta_ends_in_the_full_file_from_where_the_delta_stopped() -> None:
    bench = Bench()
    bench.server.breaks_at = [HEAD_BYTES + 12000] * 3
    assert bench.run().installed
    assert (bench.server.deltas_opened, bench.server.first_bytes[-1]) == (3, HEADER_BYTES + BLOCK_BYTES)
    bench = Bench()
    bench.server.open_errors = [Interrupted("download-interrupted", "No route.")] * 3
    assert bench.run().installed and bench.full_downloads == 1


def test_a_power_cut_at_any_record_leads_to_the_same_end() -> None:
    for cut_at in itertools.count(1):
        bench = Bench()
        bench.storage.cut_at = cut_at
        bench.run()
        if len(bench.storage.written) < cut_at:
            break
        running = bench.slots.look().running.digest
        if bench.journal.state == "installed":
            assert running == OFFER.digest
        else:
            assert bench.journal.state == "rolled_back" and running == digest_of(OLD)
        assert bench.full_downloads == 0
    assert cut_at > 8
