"""A key is replaced step by step: what each step refuses, and what a stolen key can no longer do."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import metadata_case
from fleet.fleet_case import EVERYONE, SKU, FleetCase, Voice
from support import code_of
from surefoot.fleet.adoption import SILENT_S, Standing
from surefoot.fleet.keys import find_key, trust_key
from surefoot.fleet.model import Key, KeyState, Release, RolloutState
from surefoot.fleet.recall import recall_release
from surefoot.fleet.releases import check_image, publish
from surefoot.fleet.rollouts import resume_rollout, start_rollout
from surefoot.fleet.rotation import TABLE, Rotation, RotationAction, RotationStep, rotation_of
from surefoot.fleet.rotation_release import Submission, publish_transition
from surefoot.fleet.rotation_steps import (
    RotationProgress,
    begin_rotation,
    cancel_rotation,
    destroy_key,
    exclude_robot,
    name_new_key,
    progress,
    verify_adoption,
)
from surefoot.signing import metadata as offline
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner
from surefoot.sim.images import app_image
from surefoot.store.blobs import DirectoryBlobs
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version

ID = "rotation-1"
FIRMWARE = app_image("", size_bytes=512)
OLD, NEW, THIRD = (FileSigner(ec.derive_private_key(number, ec.SECP256R1())) for number in (11, 12, 13))
OLD_ID, NEW_ID, THIRD_ID = (signer.public_key.key_id for signer in (OLD, NEW, THIRD))


class Case:
    """A fleet whose key was stolen after it signed 0.2.1, which is being rolled out to one robot."""

    def __init__(self, fleet: FleetCase, blobs: DirectoryBlobs) -> None:
        self.fleet, self.blobs = fleet, blobs
        self.trust(OLD)
        self.robot = self.enrol("robot-1")
        self.release = self.publish("0.2.1")
        self.rollout = self.start(self.release.release_id)

    def trust(self, signer: FileSigner) -> Key:
        return self.fleet.run(lambda rows: trust_key(rows, "ci", signer.public_key.der, self.fleet.now_s))

    def enrol(self, robot_id: str) -> Voice:
        robot = self.fleet.enrol(robot_id)
        self.says(robot, OLD_ID)
        return robot

    def says(self, robot: Voice, *key_ids: str) -> str | None:
        """Let a robot report which keys it trusts; return the version that it is offered."""
        offer = self.fleet.hear(robot, trusted_keys=key_ids).offer
        return None if offer is None else str(offer.version)

    def submission(
        self, version: str, signer: FileSigner = OLD, *, by: FileSigner | None = None, **says: Any
    ) -> Submission:
        """Store a file signed by one key, and return it with a manifest signed by the same or another."""
        file = sign_image(FIRMWARE, Version.parse(version), signer)
        sha256 = hashlib.sha256(file).hexdigest()
        self.blobs.put(sha256, file)
        manifest = manifest_for(ImageHeader.parse(file[:HEADER_BYTES]), SKU).replace(**says)
        return Submission(sku=SKU, sha256=sha256, manifest=sign_manifest(manifest, by or signer))

    def publish(self, version: str, signer: FileSigner = OLD, **says: Any) -> Release:
        it, now_s = self.submission(version, signer, **says), self.fleet.now_s
        return self.fleet.run(lambda rows: publish(rows, self.blobs, version, SKU, it.sha256, it.manifest, now_s))

    def start(self, release_id: str) -> Any:
        number = next(self.fleet.ids)
        return self.fleet.run(
            lambda rows: start_rollout(rows, release_id, EVERYONE, f"rollout-{number}", b"salt", self.fleet.now_s)
        )

    def begin(self, key_id: str = OLD_ID, rotation_id: str = ID, reason: str = "stolen") -> Rotation:
        return self.fleet.run(lambda rows: begin_rotation(rows, rotation_id, key_id, reason, "ada", self.fleet.now_s))

    def name(self, signer: FileSigner = NEW, rotation_id: str = ID) -> Rotation:
        der = signer.public_key.der
        return self.fleet.run(lambda rows: name_new_key(rows, rotation_id, "new", der, "ada", self.fleet.now_s))

    def transit(
        self, version: str = "0.2.2", keys: tuple[FileSigner, ...] = (NEW,), rotation_id: str = ID, **how: Any
    ) -> Release:
        offered = self.submission(version, **how, trusted_keys=tuple(signer.public_key.xy for signer in keys))
        return self.submit(offered, version, rotation_id)

    def submit(self, offered: Submission, release_id: str = "again", rotation_id: str = ID) -> Release:
        return self.fleet.run(
            lambda rows: publish_transition(rows, self.blobs, rotation_id, release_id, offered, "ada", self.fleet.now_s)
        )

    def exclude(self, robot_id: str = "robot-1", reason: str = "scrapped") -> Rotation:
        return self.fleet.run(lambda rows: exclude_robot(rows, ID, robot_id, reason, "bob", self.fleet.now_s))

    def verify(self) -> Rotation:
        return self.fleet.run(lambda rows: verify_adoption(rows, ID, "ada", self.fleet.now_s))

    def destroy(self) -> Rotation:
        return self.fleet.run(lambda rows: destroy_key(rows, ID, "ada", "192.0.2.7", self.fleet.now_s))

    def cancel(self, reason: str = "scrapped") -> Rotation:
        return self.fleet.run(lambda rows: cancel_rotation(rows, ID, reason, "ada", "192.0.2.7", self.fleet.now_s))

    def state(self, key_id: str = OLD_ID) -> KeyState:
        return self.fleet.run(lambda rows: find_key(rows, key_id)).state

    def progress(self) -> RotationProgress:
        return self.fleet.run(lambda rows: progress(rows, ID, self.fleet.now_s))

    def standings(self) -> dict[str, Standing]:
        return {robot.robot_id: robot.standing for robot in self.progress().adoption.behind}


@pytest.fixture
def case(fleet: FleetCase, tmp_path: Path) -> Case:
    return Case(fleet, DirectoryBlobs(tmp_path / "images"))


@pytest.fixture
def transitional(case: Case) -> Case:
    """The transition release is published and rolled out, and nobody has it yet."""
    case.begin()
    case.name()
    case.start(case.transit().release_id)
    return case


def test_a_revoked_key_publishes_nothing_halts_what_it_signed_and_starts_nothing(case: Case) -> None:
    case.begin()
    assert case.state() is KeyState.RETIRING
    assert case.fleet.rollout(case.rollout.rollout_id).state is RolloutState.HALTED
    assert code_of(case.publish, "0.2.2") == "refused-signature"
    assert code_of(case.start, case.release.release_id) == "refused-key-revoked"
    again = case.rollout.rollout_id
    resumed = code_of(lambda: case.fleet.run(lambda rows: resume_rollout(rows, again, "why not", case.fleet.now_s)))
    assert resumed == "refused-key-revoked"
    assert case.says(case.robot, OLD_ID) is None


def test_beginning_again_changes_nothing_and_a_reason_is_needed(case: Case) -> None:
    assert code_of(case.begin, reason=" ") == "refused-reason-missing"
    assert code_of(case.begin, "00" * 32) == "not-found-key"
    assert case.state() is KeyState.ACTIVE
    assert case.begin(rotation_id="rotation-2", reason="other") == replace(case.begin(), rotation_id="rotation-2")


def test_the_new_key_is_another_one_and_an_active_one(case: Case) -> None:
    case.begin()
    assert code_of(case.name, OLD) == "refused-key-revoked"
    case.fleet.run(
        lambda rows: rows.put(replace(trust_key(rows, "x", THIRD.public_key.der, 0.0), state=KeyState.REVOKED))
    )
    assert code_of(case.name, THIRD) == "refused-key-revoked"
    named = case.name(NEW)
    assert (named.step, named.new_key_id, case.state(NEW_ID)) == (RotationStep.TRANSITION, NEW_ID, KeyState.ACTIVE)
    assert case.name(NEW) == named
    fourth = FileSigner(ec.derive_private_key(14, ec.SECP256R1()))
    assert code_of(case.name, fourth) == "refused-rotation-state"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"keys": ()}, "refused-transition"),
        ({"keys": (NEW, OLD)}, "refused-transition"),
        ({"keys": (NEW, THIRD)}, "refused-transition"),
        ({"keys": (THIRD,)}, "refused-transition"),
        ({"keys": (OLD,)}, "refused-transition"),
        ({"version": "0.2.1"}, "refused-transition"),
        ({"signer": NEW}, "refused-manifest-signature"),
        ({"by": NEW}, "refused-manifest-signature"),
        ({"signer": NEW, "by": OLD}, "refused-signature"),
    ],
    ids=[
        "none",
        "the old one kept",
        "a third one too",
        "only a third",
        "only the old",
        "not newer",
        "manifest by the new",
        "both by the new",
        "image by the new",
    ],
)
def test_a_transition_release_hands_robots_over_to_the_new_key_alone_and_is_signed_by_the_old_one(
    case: Case, how: dict[str, Any], code: str
) -> None:
    case.begin()
    case.name()
    case.trust(THIRD)
    assert code_of(case.transit, **how) == code
    assert case.progress().rotation.transitions == ()
    assert case.fleet.run(lambda rows: len(rows.find(Release))) == 1


def test_an_image_by_the_old_key_is_stored_for_the_transition_and_not_before(case: Case) -> None:
    file = sign_image(FIRMWARE, Version.parse("0.2.2"), OLD)

    def check() -> object:
        return case.fleet.run(lambda rows: check_image(rows, file))

    case.begin()
    assert code_of(check) == "refused-signature"
    case.name()
    check()
    assert code_of(case.publish, "0.2.2") == "refused-signature"


def test_the_old_key_signs_one_transition_release_and_another_only_after_its_recall(transitional: Case) -> None:
    case = transitional
    assert code_of(case.transit, "0.2.3") == "refused-transition"
    case.fleet.run(
        lambda rows: recall_release(
            rows, "0.2.2", "limps", case.fleet.now_s, public_url="https://fleet.test", new_salt=lambda: b"salt"
        )
    )
    assert case.progress().adoption.lacking_skus == (SKU,)
    assert case.transit("0.2.3").release_id == "0.2.3"
    assert code_of(case.transit, "0.2.4") == "refused-transition"


def test_publishing_the_transition_release_again_changes_nothing(case: Case) -> None:
    case.begin()
    case.name()
    offered = case.submission("0.2.2", trusted_keys=(NEW.public_key.xy,))
    first = case.submit(offered, "first")
    assert case.submit(offered, "second") == first


def test_no_manifest_hands_robots_over_to_a_key_that_is_not_active(case: Case) -> None:
    assert code_of(case.publish, "0.2.2", trusted_keys=(THIRD.public_key.xy,)) == "refused-trusted-keys"
    case.trust(THIRD)
    case.publish("0.2.2", trusted_keys=(THIRD.public_key.xy,))


def test_the_adoption_is_what_robots_say_and_nothing_else(transitional: Case) -> None:
    case = transitional
    case.fleet.enrol("robot-2")
    assert case.standings() == {"robot-1": Standing.STRAGGLER, "robot-2": Standing.SILENT}
    assert case.says(case.robot, OLD_ID) == "0.2.2"
    for keys in ((NEW_ID, OLD_ID), (THIRD_ID,), ()):
        case.says(case.robot, *keys)
        assert case.standings()["robot-1"] is Standing.STRAGGLER
    case.says(case.robot, NEW_ID)
    assert case.standings() == {"robot-2": Standing.SILENT}
    assert case.progress().adoption.counts[Standing.ADOPTED] == 1
    case.says(case.robot, OLD_ID)
    case.fleet.now_s += SILENT_S + 1
    assert case.standings()["robot-1"] is Standing.SILENT


def test_the_ceremony_ends_once_everybody_adopted_or_was_excluded_by_name(transitional: Case) -> None:
    case = transitional
    case.enrol("robot-2")
    case.says(case.robot, NEW_ID)
    assert code_of(case.verify) == "refused-stragglers"
    assert code_of(case.exclude, "robot-2", " ") == "refused-reason-missing"
    assert code_of(case.exclude, "robot-9") == "not-found-robot"
    excluded = case.exclude("robot-2")
    assert case.exclude("robot-2", "another reason") == excluded
    [exclusion] = excluded.exclusions
    assert (exclusion.robot_id, exclusion.reason, exclusion.who) == ("robot-2", "scrapped", "bob")
    assert code_of(case.destroy) == "refused-rotation-state"
    assert case.verify() == case.verify()
    ended = case.destroy()
    assert (ended.step, ended.ended_by, ended.ended_from) == (RotationStep.FINISHED, "ada", "192.0.2.7")
    assert case.destroy() == ended
    assert case.state() is KeyState.DESTROYED


def test_a_destroyed_key_is_refused_for_ever_and_nothing_it_signed_is_offered(transitional: Case) -> None:
    case = transitional
    late = case.enrol("robot-2")
    case.says(case.robot, NEW_ID)
    case.exclude("robot-2")
    case.verify()
    case.destroy()
    assert case.says(late, OLD_ID) is None
    assert case.fleet.status("robot-2").verdict.code == "key-revoked"
    assert code_of(case.trust, OLD) == code_of(case.begin) == "refused-key-revoked"
    assert code_of(case.publish, "0.2.4") == "refused-signature"
    assert code_of(case.start, "0.2.2") == "refused-key-revoked"


def test_a_rotation_given_up_leaves_the_key_revoked(case: Case) -> None:
    case.begin()
    case.name()
    assert code_of(case.cancel, " ") == "refused-reason-missing"
    cancelled = case.cancel()
    assert (cancelled.step, cancelled.ended_reason, case.state()) == (
        RotationStep.CANCELLED,
        "scrapped",
        KeyState.REVOKED,
    )
    assert case.cancel() == cancelled
    assert code_of(case.transit) == "refused-rotation-state"
    assert code_of(case.begin) == code_of(case.trust, OLD) == "refused-key-revoked"


def test_a_rotation_is_not_given_up_once_robots_may_have_the_new_key(transitional: Case) -> None:
    assert code_of(transitional.cancel) == "refused-rotation-state"
    assert transitional.state() is KeyState.RETIRING


def test_where_the_new_key_is_stolen_too_both_are_replaced_by_a_third(transitional: Case) -> None:
    case = transitional
    adopted = case.enrol("robot-2")
    case.fleet.install(adopted)
    case.says(adopted, NEW_ID)
    case.begin(NEW_ID, "rotation-2")
    assert case.says(case.robot, OLD_ID) is None, "nobody is handed over to a stolen key any more"
    assert code_of(case.verify) == "refused-key-revoked"
    assert case.name(THIRD).transitions == ()
    case.name(THIRD, "rotation-2")
    case.start(case.transit("0.2.3", (THIRD,)).release_id)
    second = case.transit("0.2.4", (THIRD,), "rotation-2", signer=NEW)
    case.start(second.release_id)
    assert case.says(case.robot, OLD_ID) == "0.2.3", "the newer release is of no use to it"
    assert case.says(adopted, NEW_ID) == "0.2.4"


def test_each_sku_needs_its_transition_release(case: Case) -> None:
    case.fleet.run(lambda rows: rows.put_robot(replace(case.robot.robot, robot_id="leg", sku="leg", token_sha256="x")))
    case.begin()
    case.name()
    assert case.progress().adoption.lacking_skus == ("leg", SKU)
    case.transit()
    assert (case.progress().rotation.step, case.progress().adoption.lacking_skus) == (
        RotationStep.TRANSITION,
        ("leg",),
    )


def test_a_way_back_leads_to_nothing_that_a_stolen_key_signed(transitional: Case) -> None:
    case = transitional

    def recall() -> None:
        case.fleet.run(
            lambda rows: recall_release(
                rows,
                "0.2.2",
                "limps",
                case.fleet.now_s,
                public_url="https://fleet.test",
                new_salt=lambda: b"salt",
                roll_back=True,
            )
        )

    assert code_of(recall) == "refused-no-way-back"


@pytest.mark.parametrize("step", RotationStep)
def test_what_the_table_does_not_allow_is_refused_and_changes_nothing(transitional: Case, step: RotationStep) -> None:
    case = transitional
    actions: dict[RotationAction, Callable[[], object]] = {
        RotationAction.PUBLISH: lambda: case.transit("0.2.9"),
        RotationAction.EXCLUDE: case.exclude,
        RotationAction.VERIFY: case.verify,
        RotationAction.DESTROY: case.destroy,
        RotationAction.CANCEL: case.cancel,
    }
    reached = {
        RotationAction.VERIFY: (RotationStep.DESTROY, RotationStep.FINISHED),
        RotationAction.DESTROY: (RotationStep.FINISHED,),
        RotationAction.CANCEL: (RotationStep.CANCELLED,),
    }
    rotation = replace(case.progress().rotation, step=step)
    case.fleet.run(lambda rows: rows.put(rotation))
    for action, take in actions.items():
        if step not in TABLE[action] and step not in reached.get(action, ()):
            assert code_of(take) == "refused-rotation-state", action
            assert case.fleet.run(lambda rows: rotation_of(rows, OLD_ID)) == rotation


def test_a_key_is_not_destroyed_while_the_metadatas_root_names_it() -> None:
    repository = metadata_case.Repository()
    old, new = metadata_case.TARGETS, metadata_case.NEW
    repository.set_up()
    key_id, now_s = old.public_key.key_id, repository.now_s
    repository.write(lambda rows: trust_key(rows, "old", old.public_key.der, now_s))
    repository.write(lambda rows: begin_rotation(rows, ID, key_id, "stolen", "ada", now_s))
    repository.write(lambda rows: name_new_key(rows, ID, "new", new.public_key.der, "ada", now_s))
    repository.write(lambda rows: verify_adoption(rows, ID, "ada", now_s))
    assert repository.write(lambda rows: progress(rows, ID, now_s)).root_names_old == ("targets",)

    def destroy() -> Rotation:
        return repository.write(lambda rows: destroy_key(rows, ID, "ada", "192.0.2.7", now_s))

    assert code_of(destroy) == "refused-rotation-metadata"
    root = repository.rotate_root(
        lambda it: offline.rotate_targets_key(it, key_id, new.public_key, repository.now), metadata_case.ROOT
    )
    repository.send(root, metadata_case.signed(repository.listing(), new))
    assert destroy().step is RotationStep.FINISHED
