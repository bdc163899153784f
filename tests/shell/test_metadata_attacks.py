"""What a stranger who has the whole update server, its own key included, cannot make a companion believe.

The attacks are those of the TUF specification, section 1.5.2. One of them has no meaning here: extraneous dependencies,
as a release is one file and depends on no other. Malicious mirrors are the server itself.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from agent.agent_case import IDENTITY, OLD
from metadata_case import (
    DAY_S,
    NEW,
    ONLINE,
    ROOT,
    SECOND_ROOT,
    SECOND_TARGETS,
    SKU,
    START_S,
    STRANGER,
    TARGETS,
    Repository,
    forged_news,
    keys,
    offer_of,
    signed,
)
from shell.fakes import MemoryJournal, MemoryServer, MemorySlots, QuietHost
from support import code_of
from surefoot.fleet.documents import moment
from surefoot.fleet.model import Release
from surefoot.server.metadata_key import MetadataKey
from surefoot.shell.metadata import METADATA_PATH, RETRIEVAL_S_MAX, Fetcher, MetadataWitness, WitnessedTransport
from surefoot.shell.runner import Runner
from surefoot.signing import metadata as offline
from surefoot.signing.signers import FileSigner
from surefoot.wire.errors import Interrupted
from surefoot.wire.metadata import TARGETS_BYTES_MAX


class Answer:
    """An answer whose pieces come as the stranger likes."""

    def __init__(self, status: int, pieces: Iterator[bytes]) -> None:
        self.status = status
        self._pieces = pieces
        self.closed = False

    def read_some(self, length_bytes: int) -> bytes:
        return next(self._pieces, b"")[:length_bytes]

    def close(self) -> None:
        self.closed = True


class Stranger:
    """The server side, in a stranger's hands: every answer is his to give."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.files: dict[str, bytes] = {}
        self.reachable = True
        self.pieces_of: dict[str, Callable[[], Iterator[bytes]]] = {}
        self.monotonic_s = 0.0
        self.bytes_sent = 0
        self.look()

    def look(self) -> None:
        """Show what the honest server would show now."""
        self.files = self.repository.files()

    def get(self, path: str) -> Answer:
        if not self.reachable:
            raise Interrupted("server-unreachable", "nobody answers")
        name = path.removeprefix(METADATA_PATH)
        if name in self.pieces_of:
            return Answer(200, self.pieces_of[name]())
        found = self.files.get(name)
        return Answer(404, iter(())) if found is None else Answer(200, iter((found,)))

    def endless(self) -> Iterator[bytes]:
        while True:
            self.bytes_sent += 4096
            yield b" " * 4096

    def trickle(self) -> Iterator[bytes]:
        while True:
            self.monotonic_s += 1
            yield b" "


class Scene:
    """A companion with its first root, and a stranger between it and the fleet."""

    def __init__(self, folder: Path, repository: Repository, root: bytes) -> None:
        self.repository = repository
        self.stranger = Stranger(repository)
        fetcher = Fetcher(self.stranger.get, lambda: self.stranger.monotonic_s)
        self.lines: list[str] = []
        self.witness = MetadataWitness(folder, root, SKU, fetcher, lambda: repository.now_s, self.lines.append)

    def publish(self, version: str, sku: str = SKU) -> Release:
        release = self.repository.publish(version, sku=sku)
        self.stranger.look()
        return release

    def judged(self, release: Release, **changes: object) -> str | None:
        return self.witness.refusal_of(offer_of(release, **changes))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    repository = Repository()
    return Scene(tmp_path, repository, repository.set_up())


def test_what_offline_keys_list_is_believed(scene: Scene) -> None:
    assert scene.judged(scene.publish("0.3.0")) is None
    assert scene.judged(scene.publish("0.4.0")) is None
    assert scene.witness.stale_code() is None


def test_arbitrary_install_of_what_nobody_listed(scene: Scene) -> None:
    scene.publish("0.3.0")
    assert scene.judged(scene.repository.release("0.4.0")) == "refused-metadata-mismatch"


def test_arbitrary_install_of_other_bytes_under_a_listed_name(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    for changes in ({"sha256": "dd" * 32}, {"size_bytes": 5}, {"digest": "dd" * 32}):
        assert scene.judged(release, **changes) == "refused-metadata-mismatch"


@pytest.mark.parametrize("signer", [ONLINE, STRANGER])
def test_arbitrary_install_with_a_list_that_no_targets_key_signed(scene: Scene, signer: FileSigner) -> None:
    scene.publish("0.3.0")
    mine = scene.repository.release("0.4.0", sha256="dd" * 32)
    forged = signed(scene.repository.listing(mine), signer)
    forged_news(scene.stranger.files, forged, scene.repository.now_s, version=9)
    assert scene.judged(mine) == "refused-metadata-signature"


def test_a_manifest_swapped_for_another_signed_one(scene: Scene) -> None:
    release, other = scene.publish("0.3.0"), scene.publish("0.4.0")
    assert scene.judged(release, manifest=other.manifest) == "refused-metadata-mismatch"


def test_wrong_software_the_release_of_another_sku(scene: Scene) -> None:
    heavy = scene.publish("0.3.0", sku="heavy")
    assert scene.judged(heavy) == "refused-metadata-mismatch"
    assert scene.judged(heavy, sku=SKU) == "refused-metadata-mismatch"
    assert scene.judged(scene.publish("0.3.0"), sku="heavy") == "refused-metadata-mismatch"


def test_rollback_to_an_old_timestamp(scene: Scene) -> None:
    scene.publish("0.3.0")
    old = dict(scene.stranger.files)
    newer = scene.publish("0.4.0")
    assert scene.judged(newer) is None
    scene.stranger.files = old
    assert scene.judged(newer) == "refused-metadata-rollback"


def test_rollback_to_an_old_list_with_new_news_about_it(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    old = scene.stranger.files["2.targets.json"]
    scene.publish("0.4.0")
    assert scene.judged(release) is None
    forged_news(scene.stranger.files, old, scene.repository.now_s, version=9)
    assert scene.judged(release) == "refused-metadata-rollback"


def test_freeze_at_news_whose_time_is_over(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    assert scene.judged(release) is None
    scene.repository.now_s += DAY_S + 1
    assert code_of(scene.judged, release) == "interrupted-metadata"
    assert scene.witness.stale_code() == "refused-metadata-expired"
    assert scene.lines[-1].startswith("refused-metadata-expired: ")


def test_freeze_of_a_companion_that_never_saw_any_other_news(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    scene.repository.now_s += DAY_S + 1
    assert code_of(scene.judged, release) == "interrupted-metadata"
    assert scene.witness.stale_code() == "refused-metadata-expired"


def test_a_frozen_companion_takes_no_offer_however_often_it_comes_and_every_report_says_why(scene: Scene) -> None:
    server = MemoryServer(b"", offer_of(scene.publish("0.3.0")))
    slots, transport = MemorySlots(OLD), WitnessedTransport(server, scene.witness)
    runner = Runner(IDENTITY, slots, MemoryJournal(), transport, QuietHost(), witness=scene.witness)
    scene.repository.now_s += DAY_S + 1
    assert runner.start("epoch-1") == 600
    for _ in range(5):
        assert runner.check() == 600, "it asks again when the server said, not at once"
    assert {(report.code, report.assignment) for report in server.reports} == {("refused-metadata-expired", None)}
    assert (server.downloads, slots.log) == ([], [])


def test_indefinite_freeze_by_silence_is_noticed_when_the_last_news_runs_out(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    assert scene.witness.stale_code() is None
    scene.stranger.reachable = False
    scene.repository.now_s += DAY_S - 1
    assert scene.witness.stale_code() is None
    assert code_of(scene.judged, release) == "interrupted-metadata"
    scene.repository.now_s += 2
    assert scene.witness.stale_code() == "refused-metadata-expired"


def test_indefinite_freeze_by_a_mirror_that_has_no_metadata_at_all(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    scene.stranger.files = {}
    assert code_of(scene.judged, release) == "interrupted-metadata"
    assert scene.witness.stale_code() == "refused-metadata-expired"


def test_freeze_behind_an_expired_root(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    scene.repository.now_s += offline.ROOT_LIFETIME.total_seconds() + 1
    forged_news(scene.stranger.files, scene.stranger.files["2.targets.json"], scene.repository.now_s, version=9)
    assert code_of(scene.judged, release) == "interrupted-metadata"
    assert scene.witness.stale_code() == "refused-metadata-expired"


def test_fast_forward_is_healed_by_a_root_with_a_new_key_for_the_server(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    forged_news(scene.stranger.files, scene.stranger.files["2.targets.json"], scene.repository.now_s, version=2**31)
    assert scene.judged(release) is None
    scene.stranger.look()
    assert scene.judged(release) == "refused-metadata-rollback"
    scene.repository.online = MetadataKey(NEW)
    scene.repository.send(
        scene.repository.rotate_root(
            lambda root: offline.rotate_online_key(root, NEW.public_key, scene.repository.now), ROOT
        )
    )
    scene.stranger.look()
    assert scene.judged(release) is None
    forged_news(scene.stranger.files, scene.stranger.files["2.targets.json"], scene.repository.now_s, version=2**31)
    assert scene.judged(release) == "refused-metadata-signature"


def test_mix_and_match_of_documents_that_were_never_the_newest_together(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    before = dict(scene.stranger.files)
    scene.publish("0.4.0")
    scene.stranger.files["3.targets.json"] = before["2.targets.json"]
    assert scene.judged(release) == "refused-metadata-mismatch"
    scene.publish("0.5.0")
    scene.stranger.files["4.snapshot.json"] = before["2.snapshot.json"]
    assert scene.judged(release) == "refused-metadata-mismatch"


def test_endless_data_is_read_no_further_than_a_document_may_be_long(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    for name in ("2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"):
        scene.stranger.pieces_of, scene.stranger.bytes_sent = {name: scene.stranger.endless}, 0
        assert scene.judged(release) == "refused-metadata-endless", name
        assert scene.stranger.bytes_sent <= TARGETS_BYTES_MAX + 4096


def test_slow_retrieval_comes_to_an_end(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    for name in ("2.root.json", "timestamp.json", "2.targets.json"):
        scene.stranger.pieces_of, scene.stranger.monotonic_s = {name: scene.stranger.trickle}, 0.0
        assert code_of(scene.judged, release) == "interrupted-metadata"
        assert scene.stranger.monotonic_s <= RETRIEVAL_S_MAX + 1


@pytest.mark.parametrize("garbage", [b"", b"{}", b"\xff", b'{"signed": {}, "signatures": []}', b"[" * 100_000])
def test_garbage_is_refused_whichever_document_it_stands_for(scene: Scene, garbage: bytes) -> None:
    release = scene.publish("0.3.0")
    for name in ("2.root.json", "timestamp.json"):
        scene.stranger.look()
        scene.stranger.files[name] = garbage
        assert scene.judged(release) == "refused-metadata-format"
        assert scene.witness.stale_code() == "refused-metadata-format"


def test_a_document_of_another_role_is_refused(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    scene.stranger.files["timestamp.json"] = scene.stranger.files["1.root.json"]
    assert scene.judged(release) == "refused-metadata-mismatch"


def test_a_compromise_of_fewer_targets_keys_than_must_sign(tmp_path: Path) -> None:
    repository = Repository(targets=keys(TARGETS, SECOND_TARGETS, threshold=2))
    scene = Scene(tmp_path, repository, repository.set_up(signers=(TARGETS, SECOND_TARGETS)))
    mine = repository.release("0.4.0", sha256="dd" * 32)
    forged = signed(repository.listing(mine), TARGETS, ONLINE)
    forged_news(scene.stranger.files, forged, repository.now_s, version=9)
    assert scene.judged(mine) == "refused-metadata-signature"


def test_one_targets_key_cannot_sign_twice(tmp_path: Path) -> None:
    repository = Repository(targets=keys(TARGETS, SECOND_TARGETS, threshold=2))
    scene = Scene(tmp_path, repository, repository.set_up(signers=(TARGETS, SECOND_TARGETS)))
    mine = repository.release("0.4.0", sha256="dd" * 32)
    document = repository.listing(mine)
    signed(document, TARGETS)
    once = document.signatures[TARGETS.public_key.key_id]
    twice = type(once)(SECOND_TARGETS.public_key.key_id, once.signature)
    document.signatures[SECOND_TARGETS.public_key.key_id] = twice
    forged_news(scene.stranger.files, document.to_bytes(), repository.now_s, version=9)
    assert scene.judged(mine) == "refused-metadata-signature"


def test_a_compromise_of_enough_targets_keys_is_ended_only_by_a_new_root(scene: Scene) -> None:
    mine = scene.repository.release("0.4.0", sha256="dd" * 32)
    forged = signed(scene.repository.listing(mine), TARGETS)
    forged_news(scene.stranger.files, forged, scene.repository.now_s, version=9)
    assert scene.judged(mine) is None
    now = scene.repository.now
    root = scene.repository.rotate_root(
        lambda root: offline.rotate_targets_key(root, TARGETS.public_key.key_id, NEW.public_key, now), ROOT
    )
    scene.stranger.files["2.root.json"] = root
    assert scene.judged(mine) == "refused-metadata-signature"


def test_a_root_that_the_stranger_made(scene: Scene) -> None:
    release = scene.publish("0.3.0")

    def mine(root: Metadata[Root]) -> Metadata[Root]:
        return offline.rotate_root_key(root, ROOT.public_key.key_id, STRANGER.public_key, scene.repository.now)

    for signers in ((STRANGER,), (STRANGER, ONLINE, TARGETS)):
        scene.stranger.files["2.root.json"] = scene.repository.rotate_root(mine, *signers)
        assert scene.judged(release) == "refused-metadata-signature"


def test_a_compromise_of_fewer_root_keys_than_must_sign(tmp_path: Path) -> None:
    repository = Repository(root=keys(ROOT, SECOND_ROOT, threshold=2))
    scene = Scene(tmp_path, repository, repository.set_up(root_signers=(ROOT, SECOND_ROOT)))
    release = scene.publish("0.3.0")

    def mine(root: Metadata[Root]) -> Metadata[Root]:
        return offline.rotate_targets_key(root, TARGETS.public_key.key_id, STRANGER.public_key, repository.now)

    scene.stranger.files["2.root.json"] = repository.rotate_root(mine, ROOT, STRANGER)
    assert scene.judged(release) == "refused-metadata-signature"


def test_a_root_put_back_to_one_whose_keys_were_replaced(scene: Scene) -> None:
    release = scene.publish("0.3.0")
    now = scene.repository.now
    root = scene.repository.rotate_root(
        lambda root: offline.rotate_targets_key(root, TARGETS.public_key.key_id, NEW.public_key, now), ROOT
    )
    scene.repository.send(root, signed(scene.repository.listing(), NEW))
    scene.stranger.look()
    assert scene.judged(release) is None
    # The root that took the key away is withheld from now on: the companion does not forget it.
    del scene.stranger.files["2.root.json"]
    mine = scene.repository.release("0.4.0", sha256="dd" * 32)
    forged_news(
        scene.stranger.files, signed(scene.repository.listing(mine), TARGETS), scene.repository.now_s, version=9
    )
    assert scene.judged(mine) == "refused-metadata-signature"


def test_a_root_that_skips_a_version(scene: Scene) -> None:
    release = scene.publish("0.3.0")

    def skipping(root: Metadata[Root]) -> Metadata[Root]:
        following = offline.renewed(root, scene.repository.now)
        following.signed.version += 1
        return following

    scene.stranger.files["2.root.json"] = scene.repository.rotate_root(skipping, ROOT)
    assert scene.judged(release) == "refused-metadata-rollback"


def test_every_document_has_a_time_at_which_it_is_over(scene: Scene) -> None:
    scene.publish("0.3.0")
    for kind in (Root, Targets, Snapshot, Timestamp):
        expires = scene.repository.newest(kind).signed.expires
        assert datetime.fromtimestamp(START_S, UTC) < expires <= moment(START_S + 731 * DAY_S)
