"""A key is rotated on a fleet of whole robots, one of them switched off, with a kill between any two statements."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec

from support import code_of
from surefoot.fleet.adoption import Standing
from surefoot.fleet.audit import Entry, verify
from surefoot.fleet.model import Key, KeyState, Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.releases import publish
from surefoot.fleet.rollouts import start_rollout
from surefoot.fleet.rotation import Rotation, RotationStep
from surefoot.fleet.rotation_release import Submission, publish_transition
from surefoot.fleet.rotation_steps import (
    RotationProgress,
    begin_rotation,
    destroy_key,
    exclude_robot,
    name_new_key,
    progress,
    verify_adoption,
)
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner
from surefoot.sim.flash import Flash
from surefoot.sim.ground import EVERYONE, SKU, SimFleet
from surefoot.sim.images import app_image
from surefoot.sim.memory_store import MemoryStore, Tables
from surefoot.sim.mortal_server import Killed, MortalRows
from surefoot.sim.partitions import SMALL
from surefoot.sim.robot import SimRobot, make_flash
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version

OLD, NEW = (FileSigner(ec.derive_private_key(number, ec.SECP256R1())) for number in (0x01D, 0x9E3))
IMAGES = {version: app_image(version, size_bytes=1024) for version in ("0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.2.4")}
ID = "rotation-1"
PRESENT, STRAGGLER, LOST = ("robot-1", "robot-2"), "robot-3", "robot-4"

Work = Callable[[Rows], object]


@cache
def signed(version: str, *, by_old: bool, hands_over: bool = False) -> tuple[bytes, Submission]:
    """Return a file with what publishes it, signed once: the same key never signs alike twice."""
    signer = OLD if by_old else NEW
    file = sign_image(IMAGES[version], Version.parse(version), signer)
    manifest = manifest_for(ImageHeader.parse(file[:HEADER_BYTES]), SKU)
    if hands_over:
        manifest = manifest.replace(trusted_keys=(NEW.public_key.xy,))
    sha256 = hashlib.sha256(file).hexdigest()
    return file, Submission(sku=SKU, sha256=sha256, manifest=sign_manifest(manifest, signer))


@dataclass(kw_only=True)
class Ceremony:
    """A fleet of four robots in the middle of a rollout; each step of a rotation is taken as `take` says."""

    fleet: SimFleet
    store: MemoryStore
    take: "Callable[[Ceremony, Work], None]"
    robots: dict[str, SimRobot] = field(default_factory=dict)
    kills: int = 0

    def prepare(self) -> None:
        """Enrol robots that run 0.2.0, and start to roll out 0.2.1."""
        for robot_id in (*PRESENT, STRAGGLER, LOST):
            flash = Flash(SMALL.flash_size_bytes)
            make_flash(flash, SMALL, IMAGES["0.2.0"], "0.2.0")
            self.robots[robot_id] = SimRobot(self.fleet.identity(robot_id), flash, self.fleet.enrol(robot_id))
        release = self.publish("0.2.1", by_old=True)
        self.fleet.start_rollout(release)
        self.live(PRESENT[0], STRAGGLER)

    def publish(self, version: str, *, by_old: bool) -> Release:
        file, offered = signed(version, by_old=by_old)
        self.fleet.blobs.put(offered.sha256, file)
        return self.store.submit(
            lambda rows: publish(
                rows, self.fleet.blobs, version, SKU, offered.sha256, offered.manifest, self.fleet.now_s
            )
        ).result()

    def live(self, *robot_ids: str) -> None:
        """Let robots check as often as an update takes; the others are switched off."""
        for robot_id in robot_ids:
            for _ in range(4):
                self.robots[robot_id].check()

    def begin(self) -> None:
        self.take(
            self, lambda rows: begin_rotation(rows, ID, OLD.public_key.key_id, "laptop stolen", "ada", self.now_s)
        )

    def generate(self) -> None:
        self.take(self, lambda rows: name_new_key(rows, ID, "new", NEW.public_key.der, "ada", self.now_s))

    def transit(self) -> None:
        file, offered = signed("0.2.2", by_old=True, hands_over=True)
        self.fleet.blobs.put(offered.sha256, file)
        blobs, plan = self.fleet.blobs, EVERYONE
        self.take(self, lambda rows: publish_transition(rows, blobs, ID, "0.2.2", offered, "ada", self.now_s))

        def start(rows: Rows) -> None:
            if rows.get(Rollout, "transition") is None:
                start_rollout(rows, "0.2.2", plan, "transition", b"salt", self.now_s)

        self.take(self, start)
        self.live(*PRESENT)

    def exclude(self) -> None:
        self.take(self, lambda rows: exclude_robot(rows, ID, LOST, "fell into the harbour", "ada", self.now_s))

    def verify(self) -> None:
        self.take(self, lambda rows: verify_adoption(rows, ID, "ada", self.now_s))

    def destroy(self) -> None:
        self.take(self, lambda rows: destroy_key(rows, ID, "ada", "192.0.2.7", self.now_s))

    @property
    def now_s(self) -> float:
        return self.fleet.now_s

    def standing(self) -> RotationProgress:
        return self.store.read(lambda rows: progress(rows, ID, self.now_s))

    def key_state(self) -> KeyState:
        key = self.store.read(lambda rows: rows.get(Key, OLD.public_key.key_id))
        assert key is not None
        return key.state

    def trusted(self, robot_id: str) -> tuple[str, ...]:
        facts = self.store.read(lambda rows: rows.facts(robot_id))
        assert facts is not None
        return facts.report.trusted_keys


def undisturbed(ceremony: Ceremony, work: Work) -> None:
    ceremony.store.submit(work).result()


def killed_everywhere(ceremony: Ceremony, work: Work) -> None:
    """Kill the server before each statement of a step, then behind its commit, so that it is taken once more."""
    store, statements = ceremony.store, 0
    while True:
        before = store.snapshot()
        mortal = mortal_work(work, statements)
        try:
            store.submit(mortal).result()
        except Killed:
            assert store.snapshot() == before
            statements += 1
            continue
        break
    after = store.snapshot()
    store.submit(work).result()
    assert store.snapshot() == after
    ceremony.kills += statements + 1


def mortal_work(work: Work, statements: int) -> Work:
    return lambda rows: work(cast(Rows, MortalRows(rows, statements)))


def a_ceremony(folder: Path, take: Callable[[Ceremony, Work], None] = undisturbed) -> Ceremony:
    folder.mkdir(exist_ok=True)
    store = MemoryStore()
    ceremony = Ceremony(fleet=SimFleet(folder, OLD, store), store=store, take=take)
    ceremony.prepare()
    return ceremony


def held(folder: Path, take: Callable[[Ceremony, Work], None]) -> tuple[Ceremony, list[Tables]]:
    """Hold a whole ceremony with one straggler; return it with all rows behind each step."""
    ceremony, behind = a_ceremony(folder, take), []
    for step in (ceremony.begin, ceremony.generate, ceremony.transit, ceremony.exclude):
        step()
        behind.append(ceremony.store.snapshot())

    assert code_of(ceremony.verify) == "refused-stragglers"
    assert ceremony.standing().rotation.step is RotationStep.VERIFY
    waiting = [robot.robot_id for robot in ceremony.standing().adoption.behind if robot.standing is Standing.STRAGGLER]
    assert waiting == [STRAGGLER]
    assert code_of(ceremony.destroy) == "refused-rotation-state"

    ceremony.live(STRAGGLER)
    for step in (ceremony.verify, ceremony.destroy):
        step()
        behind.append(ceremony.store.snapshot())
    return ceremony, behind


def test_a_ceremony_with_a_straggler_and_a_kill_between_any_two_statements_ends_as_one_without(tmp_path: Path) -> None:
    smooth, behind = held(tmp_path / "smooth", undisturbed)
    rough, also_behind = held(tmp_path / "rough", killed_everywhere)
    assert also_behind == behind
    # Six steps and the start of the rollout, each with at least its reading of the row and its writing.
    assert rough.kills > 50 and smooth.kills == 0

    assert rough.key_state() is KeyState.DESTROYED
    rotation = rough.standing().rotation
    assert (rotation.step, rotation.ended_by, rotation.ended_from) == (RotationStep.FINISHED, "ada", "192.0.2.7")
    for robot_id in (*PRESENT, STRAGGLER):
        assert rough.trusted(robot_id) == (NEW.public_key.key_id,)
    entries = rough.store.read(lambda rows: rows.find(Entry))
    assert verify(entries) is None
    actions = ["begin", "name-key", "publish", "exclude", "verify", "finished"]
    assert [entry.action for entry in entries] == [f"rotation.{action}" for action in actions]
    assert rough.store.read(lambda rows: len(rows.find(Rotation))) == 1


def test_revoking_a_key_halts_what_it_signed_and_robots_keep_what_they_run(tmp_path: Path) -> None:
    ceremony = a_ceremony(tmp_path)
    ceremony.begin()
    [rollout] = ceremony.store.read(lambda rows: rows.find(Rollout))
    assert rollout.state is RolloutState.HALTED and "laptop stolen" in rollout.reason
    ceremony.live(PRESENT[1])
    assert ceremony.robots[PRESENT[1]].running_digest == hashlib.sha256(IMAGES["0.2.0"]).hexdigest()


def test_a_straggler_adopts_the_new_key_before_it_goes_on_to_what_that_key_signed(tmp_path: Path) -> None:
    ceremony = a_ceremony(tmp_path)
    for step in (ceremony.begin, ceremony.generate, ceremony.transit):
        step()
    ceremony.fleet.tick()
    following = ceremony.publish("0.2.3", by_old=False)
    ceremony.fleet.start_rollout(following)
    ceremony.live(*PRESENT)
    ceremony.fleet.now_s += 60.0
    ceremony.fleet.tick()
    assert ceremony.robots[PRESENT[0]].running_digest == following.digest

    ceremony.live(STRAGGLER)
    assert ceremony.trusted(STRAGGLER) == (NEW.public_key.key_id,)
    ceremony.live(STRAGGLER)
    assert ceremony.robots[STRAGGLER].running_digest == following.digest


def test_whoever_comes_back_after_the_end_with_the_old_key_alone_is_offered_nothing(tmp_path: Path) -> None:
    ceremony, _ = held(tmp_path, undisturbed)
    ceremony.live(LOST)
    assert ceremony.robots[LOST].running_digest == hashlib.sha256(IMAGES["0.2.0"]).hexdigest()
    status = ceremony.fleet.status(LOST)
    assert (status.assignment, status.verdict.code) == (None, "key-revoked")


def test_a_robot_enrolled_with_the_old_key_in_the_last_moment_is_a_straggler(tmp_path: Path) -> None:
    ceremony = a_ceremony(tmp_path)
    for step in (ceremony.begin, ceremony.generate, ceremony.transit, ceremony.exclude):
        step()
    ceremony.live(STRAGGLER)
    ceremony.verify()
    ceremony.fleet.enrol("robot-9")
    assert code_of(ceremony.destroy) == "refused-stragglers"
    assert [robot.robot_id for robot in ceremony.standing().adoption.behind] == [LOST, "robot-9"]
    assert ceremony.key_state() is KeyState.RETIRING


def test_a_stolen_key_publishes_nothing_once_it_is_revoked(tmp_path: Path) -> None:
    ceremony = a_ceremony(tmp_path)
    ceremony.begin()
    before: Any = ceremony.store.snapshot()
    assert code_of(ceremony.publish, "0.2.4", by_old=True) == "refused-signature"
    ceremony.generate()
    assert code_of(ceremony.publish, "0.2.4", by_old=True) == "refused-signature"
    assert before["Release"] == ceremony.store.snapshot()["Release"]
