"""Whole updates of a companion by the real RAUC on file-backed slots, driven by the real agent."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.agent_case import IDENTITY, NEW_VERSION, digest_of, file_of, offer_of
from shell.fakes import MemoryServer, PowerCut, QuietHost
from shell.rauc_companion import RaucCompanion
from shell.restarts import RESTARTS_MAX, journal_in, live
from support import code_of
from surefoot.shell.files import FileJournal
from surefoot.shell.rauc import BUNDLES_MAX, RaucSlots
from surefoot.shell.runner import Runner
from surefoot.wire.errors import SurefootError
from surefoot.wire.journal import Journal
from surefoot.wire.report import CONFIRMED, ROLLED_BACK, TRIAL, UNKNOWN
from surefoot.wire.version import Version
from waiting import wait_until

pytestmark = [pytest.mark.rauc, pytest.mark.timeout(120)]

CONTENT = b"new root file system" * 5000


class Bench:
    """A companion, its agent's disk, and a server that offers it a bundle."""

    def __init__(self, directory: Path) -> None:
        self.companion = RaucCompanion(directory / "companion")
        self.directory = directory / "agent"
        self.directory.mkdir()
        self.storage = FileJournal(self.directory)
        self.host = QuietHost()
        self.bundle = self.companion.bundle(str(NEW_VERSION), CONTENT)
        self.server = self.offering(self.bundle, NEW_VERSION)

    def offering(self, bundle: bytes, version: Version, **changes: object) -> MemoryServer:
        return MemoryServer(file_of(bundle, version), offer_of(bundle, version, **changes))

    def slots(self) -> RaucSlots:
        return RaucSlots(self.directory, self.storage, command=self.companion.command)

    def start(self, slots: RaucSlots | None = None) -> int | None:
        """Switch the companion on and start its agent; return what the runner says."""
        self.companion.boot()
        return self.start_agent(slots)

    def start_agent(self, slots: RaucSlots | None = None) -> int | None:
        """Start the agent alone, as after it was killed; the companion runs on."""
        return Runner(IDENTITY, slots or self.slots(), self.storage, self.server, self.host).start("epoch")

    def live(self) -> None:
        """Restart as often as the agent asks or its power fails."""
        live(self.start)

    @property
    def journal(self) -> Journal:
        return journal_in(self.storage)

    @property
    def ending(self) -> tuple[str, str | None, str]:
        """What the agent says, why, and which slot really runs."""
        return self.journal.state, self.journal.code, self.companion.booted

    def told_digest(self) -> str | None:
        return self.server.reports[-1].running.digest


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.companion.switch_off()


class CutSlots(RaucSlots):
    """A driver whose power fails right before or right after one of its calls of RAUC."""

    before: str | None = None
    after: str | None = None
    directory: Path

    def _run(self, *arguments: str, timeout_s: int = 60):  # type: ignore[no-untyped-def]
        # A confirmed slot is marked good at every boot too, long before there is anything to cut.
        is_due = "mark-good" not in arguments or (self.directory / "trial.json").exists()
        words = " ".join(arguments) if is_due else ""
        if self.before is not None and self.before in words:
            raise PowerCut
        ended = super()._run(*arguments, timeout_s=timeout_s)
        if self.after is not None and self.after in words:
            raise PowerCut
        return ended

    def cut(self, *, before: str | None = None, after: str | None = None) -> "CutSlots":
        self.before, self.after = before, after
        return self


def code_or_none(work: Callable[[], object]) -> str | None:
    try:
        work()
    except SurefootError as error:
        return error.code
    return None


def cutting(bench: Bench, *, before: str | None = None, after: str | None = None) -> None:
    """Live until the power fails there."""
    for _ in range(RESTARTS_MAX):
        slots = CutSlots(bench.directory, bench.storage, command=bench.companion.command)
        slots.directory = bench.directory
        try:
            assert bench.start(slots.cut(before=before, after=after)) is None, "the power never failed"
        except PowerCut:
            return
    raise AssertionError("the power never failed")


def test_a_bundle_is_installed_tried_and_confirmed(bench: Bench) -> None:
    bench.live()
    assert bench.ending == ("installed", None, "B")
    assert bench.companion.image(len(CONTENT)) == CONTENT
    assert bench.told_digest() == digest_of(bench.bundle)
    said = [report.assignment and report.assignment.state for report in bench.server.reports]
    assert said == [None, "staged", "trial", "installed"]


def test_a_confirmed_slot_never_runs_out_of_boots_and_one_on_trial_does(bench: Bench) -> None:
    for _ in range(4):
        assert bench.companion.boot() == "A"
        bench.slots().look()
    cutting(bench, before="mark-good")
    assert bench.companion.booted == "B"
    for expected in ("B", "A", "A", "A"):
        assert bench.companion.boot() == expected
        assert bench.slots().look().running.state == (TRIAL if expected == "B" else CONFIRMED)


def test_a_failed_self_test_leads_back(bench: Bench) -> None:
    bench.host.failing_check = "relay"
    bench.live()
    assert bench.ending == ("rolled_back", "trial-failed-relay", "A")
    assert bench.slots().look().spare.state == ROLLED_BACK


def test_a_crash_in_the_validation_window_leads_back_when_the_boots_run_out(bench: Bench) -> None:
    bench.host.crashes = True
    bench.live()
    assert bench.ending == ("rolled_back", "trial-interrupted", "A")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("info", None),
        (None, "info"),
        ("install", None),
        (None, "install"),
        ("mark-good", None),
        (None, "mark-good"),
    ],
)
def test_a_cut_at_a_call_of_rauc_ends_installed(bench: Bench, before: str | None, after: str | None) -> None:
    cutting(bench, before=before, after=after)
    bench.live()
    assert bench.ending == ("installed", None, "B")
    assert bench.told_digest() == digest_of(bench.bundle)
    assert bench.slots().look().running.state == CONFIRMED


@pytest.mark.parametrize(("asking", "state"), [("set-state", "bad"), ("set-primary", "")])
def test_a_cut_in_the_middle_of_an_installation_ends_installed(bench: Bench, asking: str, state: str) -> None:
    bench.companion.let_rauc_die_at(asking, state)
    cutting(bench, after="install")
    bench.companion.boot()
    assert bench.companion.booted == "A"
    assert bench.slots().look().spare.state == UNKNOWN, "begun is not given up"
    bench.live()
    assert bench.ending == ("installed", None, "B")
    assert bench.journal.attempts == 2


@pytest.mark.parametrize(("before", "after"), [("mark-bad", None), (None, "mark-bad"), (None, "install")])
def test_a_cut_in_a_failing_update_ends_on_the_old_slot(bench: Bench, before: str | None, after: str | None) -> None:
    bench.host.failing_check = "relay"
    cutting(bench, before=before, after=after)
    bench.live()
    assert bench.ending == ("rolled_back", "trial-failed-relay", "A")


def test_what_was_cancelled_after_the_agent_was_killed_does_not_start_with_the_machine(bench: Bench) -> None:
    assert bench.start() is None
    assert bench.companion.next_to_boot == "B"
    bench.server.cancelled = "assignment-1"
    assert bench.start_agent() is not None
    assert (bench.journal.state, bench.journal.code) == ("refused", "cancelled")
    assert bench.companion.next_to_boot == "A"
    bench.server.cancelled, bench.server.offer = None, bench.server.offer and bench.server.offer.replace(attempt=3)
    bench.live()
    assert bench.ending == ("installed", None, "B")


def test_an_agent_that_is_killed_while_rauc_installs_decides_nothing_before_that_ends(bench: Bench) -> None:
    lingers = bench.companion.let_rauc_linger_at("set-primary")

    class Killed(RaucSlots):
        def _run(self, *arguments: str, timeout_s: int = 60):  # type: ignore[no-untyped-def]
            if arguments[0] != "install":
                return super()._run(*arguments, timeout_s=timeout_s)
            with subprocess.Popen((*self._command, *arguments), stderr=subprocess.DEVNULL) as rauc:
                wait_until(lingers.exists)
                rauc.kill()
            raise PowerCut

    with pytest.raises(PowerCut):
        bench.start(Killed(bench.directory, bench.storage, command=bench.companion.command))
    assert code_of(bench.start_agent) == "interrupted-rauc"
    lingers.unlink()
    wait_until(lambda: bench.companion.next_to_boot == "B")
    wait_until(lambda: code_or_none(bench.slots().look) is None)
    assert bench.start_agent() is None
    bench.live()
    assert bench.ending == ("installed", None, "B")
    assert bench.journal.attempts == 2


def test_a_bundle_for_another_machine_never_boots(bench: Bench) -> None:
    bundle = bench.companion.bundle("0.4.0", CONTENT, compatible="toaster")
    bench.server = bench.offering(bundle, Version.parse("0.4.0"))
    bench.live()
    assert bench.ending == ("rolled_back", "stage-failed", "A")
    assert any("refused-by-rauc" in line for line in bench.host.lines)


def test_bytes_that_are_no_bundle_are_refused(bench: Bench) -> None:
    bench.server = bench.offering(b"no bundle at all" * 5000, NEW_VERSION)
    bench.live()
    assert bench.ending == ("refused", "refused-image-format", "A")


def test_a_rollback_order_boots_the_other_slot_without_a_download(bench: Bench) -> None:
    bench.live()
    newer = bench.companion.bundle("0.4.0", b"newer" * 20_000)
    bench.server = bench.offering(newer, Version.parse("0.4.0"), id="assignment-2")
    bench.live()
    assert bench.ending == ("installed", None, "A")
    assert bench.slots().look().spare.state == CONFIRMED

    bench.server = bench.offering(bench.bundle, NEW_VERSION, id="assignment-3", rollback=True)
    bench.live()

    assert bench.ending == ("installed", None, "B")
    assert bench.server.downloads == []
    assert bench.told_digest() == digest_of(bench.bundle)


def test_what_rauc_never_wrote_has_no_digest(bench: Bench) -> None:
    bench.companion.boot()
    seen = bench.slots().look()
    assert (seen.running.slot, seen.running.digest, seen.running.state) == ("rootfs.0", None, CONFIRMED)
    assert (seen.spare.slot, seen.spare.digest, seen.spare.state) == ("rootfs.1", None, UNKNOWN)


def test_two_bundles_with_the_same_bytes_and_version_cannot_be_told_apart(bench: Bench) -> None:
    bench.live()
    notes = json.loads((bench.directory / "bundles.json").read_bytes())
    assert list(notes.values()) == [digest_of(bench.bundle)]
    other = bench.bundle + b"x"
    slots = bench.slots()
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, bench.bundle)
    (bench.directory / "bundles.json").write_text(json.dumps(dict.fromkeys(notes, digest_of(other))))
    slots.inspect(len(bench.bundle))
    assert bench.slots().look().running.digest is None


def test_what_runs_is_known_however_many_bundles_came_that_were_never_installed(bench: Bench) -> None:
    bench.live()
    path = bench.directory / "bundles.json"
    for version in ("0.4.0", "0.5.0"):
        notes = json.loads(path.read_bytes())
        path.write_text(json.dumps(notes | {f"{number} {version}": "ab" * 32 for number in range(BUNDLES_MAX - 2)}))
        bundle = bench.companion.bundle(version, version.encode() * 5000)
        slots = bench.slots()
        slots.prepare_spare()
        slots.erase_block(0)
        slots.write(0, bundle)
        slots.inspect(len(bundle))
        assert len(json.loads(path.read_bytes())) == BUNDLES_MAX
    assert bench.slots().look().running.digest == digest_of(bench.bundle)


def test_nothing_is_staged_on_trial_and_nothing_decided_without_rauc(bench: Bench) -> None:
    cutting(bench, before="mark-good")
    bench.companion.boot()
    assert bench.slots().look().running.state == TRIAL
    assert code_of(bench.slots().prepare_spare) == "misuse-on-trial"
    bench.companion.switch_off()
    assert code_of(bench.slots().look) == "interrupted-rauc"
    missing = RaucSlots(bench.directory, bench.storage, command=(str(bench.directory / "no-rauc"),))
    assert code_of(missing.look) == "interrupted-rauc"


def test_there_is_no_going_back_to_a_slot_that_is_bad(bench: Bench) -> None:
    bench.companion.boot()
    assert code_of(bench.slots().go_back) == "damaged-no-rollback-image"
