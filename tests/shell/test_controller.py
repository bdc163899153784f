"""Whole updates of a controller over real HTTP, by the real agent on a companion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.agent_case import IDENTITY, NEW_VERSION, OLD_VERSION, digest_of, file_of, offer_of
from shell.controller_fake import TOKEN, FakeController, served
from shell.fakes import MemoryServer, PowerCut, QuietHost
from shell.restarts import journal_in, live
from support import code_of
from surefoot.shell.controller import ControllerSlots
from surefoot.shell.controller_http import Controller
from surefoot.shell.files import FileJournal
from surefoot.shell.runner import Runner
from surefoot.sim.images import app_image
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.journal import Journal, blank_journal, encode_journal
from surefoot.wire.report import CONFIRMED, EMPTY, TRIAL, UNKNOWN

OLD = app_image(str(OLD_VERSION), size_bytes=65536, seed=1)
NEW = app_image(str(NEW_VERSION), size_bytes=160_000, seed=2)


class Bench:
    """A companion with its disk, a controller, and a server that offers it an update."""

    def __init__(self, directory: Path, controller: FakeController, url: str, token: str = TOKEN) -> None:
        self.directory = directory
        self.controller = controller
        self.storage = FileJournal(directory)
        self.server = MemoryServer(file_of(NEW, NEW_VERSION), offer_of(NEW, NEW_VERSION))
        self.host = QuietHost()
        self.endpoint = Controller(url, token)
        self.pauses: list[int] = []
        journal = blank_journal("factory").with_label(digest_of(OLD), str(OLD_VERSION))
        self.storage.write_copy(0, encode_journal(journal, 1))

    def slots(self) -> ControllerSlots:
        return ControllerSlots(self.directory, self.endpoint, self.storage, self.pauses.append)

    def start(self) -> int | None:
        return Runner(IDENTITY, self.slots(), self.storage, self.server, self.host).start("epoch")

    def live(self) -> None:
        """Start the agent until it rests, as the companion's service does."""
        live(self.start, Interrupted)

    @property
    def journal(self) -> Journal:
        return journal_in(self.storage)

    @property
    def ending(self) -> tuple[str, str | None, bool]:
        """What the agent says, why, and whether the last report tells what the controller really runs."""
        told = self.server.reports[-1].running.digest == digest_of(self.controller.image)
        return self.journal.state, self.journal.code, told


@pytest.fixture
def controller() -> FakeController:
    return FakeController(OLD, str(OLD_VERSION))


@pytest.fixture
def bench(tmp_path: Path, controller: FakeController) -> Iterator[Bench]:
    with served(controller) as url:
        yield Bench(tmp_path, controller, url)


@pytest.mark.parametrize(("says_digest", "says_slot"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_healthy_update_is_installed_by_whatever_the_controller_can_say(
    bench: Bench, controller: FakeController, says_digest: bool, says_slot: bool
) -> None:
    controller.says_digest, controller.says_slot = says_digest, says_slot
    bench.live()
    assert bench.ending == ("installed", None, True)
    assert controller.image == NEW and controller.uploads == 1
    said = [report.assignment and report.assignment.state for report in bench.server.reports]
    assert said == [None, "staged", "trial", "installed"]


def test_a_controller_that_rolls_back_by_itself_is_reported_so(bench: Bench, controller: FakeController) -> None:
    controller.healthy = False
    bench.live()
    # The companion had passed its own test and was waiting for the controller to confirm.
    assert bench.ending == ("rolled_back", "confirm-interrupted", True)
    assert controller.image == OLD and controller.uploads == 1


def test_a_rollback_nobody_watched_is_known_by_the_controller_s_word(bench: Bench, controller: FakeController) -> None:
    controller.healthy = False
    cut_after(bench, controller, answers=0)
    controller.plan = []
    controller.word, controller.running = "rolled_back", 0
    bench.live()
    assert bench.ending == ("rolled_back", "trial-interrupted", True)
    assert controller.uploads == 1


def test_the_companion_cannot_veto_what_the_controller_confirms(bench: Bench, controller: FakeController) -> None:
    bench.host.failing_check = "relay"
    bench.live()
    assert bench.ending == ("installed", None, True)
    assert controller.image == NEW


def test_an_upload_without_the_right_token_ends_on_the_old_image(tmp_path: Path, controller: FakeController) -> None:
    with served(controller) as url:
        bench = Bench(tmp_path, controller, url)
        uploads_with_another_token = Controller(url, "wrong")
        bench.endpoint.upload = uploads_with_another_token.upload  # type: ignore[method-assign]
        bench.live()
    assert bench.ending == ("rolled_back", "stage-failed", True)
    assert controller.uploads == 0
    assert any("check the token" in line for line in bench.host.lines)


def test_an_image_the_controller_refuses_ends_on_the_old_one(bench: Bench, controller: FakeController) -> None:
    controller.refuses_image = "bad signature"
    bench.live()
    assert bench.ending == ("rolled_back", "stage-failed", True)
    assert any("bad signature" in line for line in bench.host.lines)


def test_an_upload_that_breaks_off_is_made_again(bench: Bench, controller: FakeController) -> None:
    controller.breaks_upload_after = 50_000
    bench.live()
    assert bench.ending == ("installed", None, True)
    assert bench.journal.attempts == 2


def test_nothing_is_decided_while_the_controller_is_silent(bench: Bench, controller: FakeController) -> None:
    controller.is_silent = True
    before = bench.storage.read_copies()
    runner = Runner(IDENTITY, bench.slots(), bench.storage, bench.server, bench.host)
    assert code_of(runner.start, "epoch") == "interrupted-controller"
    assert bench.server.reports == [] and bench.storage.read_copies() == before
    assert len(bench.pauses) == 30
    controller.is_silent = False
    bench.live()
    assert bench.ending == ("installed", None, True)


def cut_after(bench: Bench, controller: FakeController, answers: int) -> None:
    """Let the companion's power fail so many answers after the upload."""
    asked_status = bench.endpoint.status
    left = [answers]

    def status_until_the_cut() -> object:
        if controller.uploads and left[0] == 0:
            raise PowerCut
        left[0] -= bool(controller.uploads)
        return asked_status()

    bench.endpoint.status = status_until_the_cut  # type: ignore[method-assign,assignment]
    with pytest.raises(PowerCut):
        bench.live()
    bench.endpoint.status = asked_status  # type: ignore[method-assign]


@pytest.mark.parametrize("answers", range(6))
@pytest.mark.parametrize(("healthy", "state"), [(True, "installed"), (False, "rolled_back")])
def test_a_companion_cut_after_the_upload_learns_the_outcome_from_the_controller(
    bench: Bench, controller: FakeController, answers: int, healthy: bool, state: str
) -> None:
    controller.healthy = healthy
    cut_after(bench, controller, answers)
    bench.live()
    assert bench.ending[0] == state and bench.ending[2]
    assert controller.uploads == 1, "what arrived is not sent again"


def test_a_companion_cut_before_it_could_note_the_upload_sends_it_again_at_most_so_often(
    bench: Bench, controller: FakeController
) -> None:
    controller.healthy = False
    cut_after(bench, controller, answers=0)
    (bench.directory / "uploaded").unlink()
    controller.plan = []
    controller.word, controller.running = "rolled_back", 0
    bench.live()
    assert bench.ending[0] == "rolled_back" and bench.ending[2]
    assert controller.uploads == 2


def test_a_word_nobody_knows_is_not_taken_for_success(bench: Bench, controller: FakeController) -> None:
    controller.word = "pondering"
    assert code_of(bench.slots().look) == "interrupted-controller"
    controller.word = "TRIAL"
    assert bench.slots().look().running.state == TRIAL
    controller.word = "error"
    assert bench.slots().look().running.state == CONFIRMED


def test_two_images_of_one_version_cannot_be_told_apart_by_version(bench: Bench, controller: FakeController) -> None:
    controller.says_digest = False
    assert bench.slots().look().running.digest == digest_of(OLD)
    journal = bench.journal.with_label(digest_of(NEW), str(OLD_VERSION))
    bench.storage.write_copy(1, encode_journal(journal, 2))
    assert bench.slots().look().running.digest is None
    controller.versions[0] = "9.9.9"
    assert bench.slots().look().running.digest is None


def test_an_old_rollback_is_not_taken_for_one_of_this_update(bench: Bench, controller: FakeController) -> None:
    controller.word = "rolled_back"
    slots = bench.slots()
    assert slots.look().spare.state == EMPTY
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, b"half")
    assert slots.look().spare.state == UNKNOWN


def test_a_file_that_is_not_the_judged_one_is_not_uploaded(bench: Bench, controller: FakeController) -> None:
    slots = bench.slots()
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, NEW)
    assert code_of(slots.set_boot_slot) == "stage-failed"
    assert controller.uploads == 0


def test_nothing_is_staged_while_the_controller_is_on_trial(bench: Bench, controller: FakeController) -> None:
    controller.word = "trial"
    slots = bench.slots()
    slots.look()
    assert code_of(slots.prepare_spare) == "misuse-on-trial"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Refused):
        Controller("controller.local", TOKEN)
