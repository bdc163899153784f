"""What the server takes as signed metadata, and how it keeps its own part of it fresh."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tuf.api.metadata import Delegations, Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from metadata_case import (
    DAY_S,
    NEW,
    ONLINE,
    ROOT,
    SECOND_ROOT,
    SECOND_TARGETS,
    STRANGER,
    TARGETS,
    Repository,
    keys,
    signed,
)
from support import code_of
from surefoot.fleet.documents import read_document
from surefoot.fleet.metadata import (
    KEPT_VERSIONS,
    SNAPSHOT_LIFETIME_S,
    TIMESTAMP_LIFETIME_S,
    due,
    is_renewal_due,
    renew,
    target_of,
)
from surefoot.fleet.model import Release
from surefoot.server.metadata_key import MetadataKey
from surefoot.signing import metadata as offline
from surefoot.wire.errors import Refused


@pytest.fixture
def repository() -> Repository:
    repository = Repository()
    repository.set_up()
    return repository


def versions(repository: Repository) -> dict[str, int]:
    return {kind.type: repository.newest(kind).signed.version for kind in (Root, Targets, Snapshot, Timestamp)}


def releases(repository: Repository) -> list[str]:
    return [release.release_id for release in repository.store.read(lambda rows: rows.find(Release))]


def renewal_due(repository: Repository) -> bool:
    return repository.store.read(lambda rows: is_renewal_due(rows, repository.online, repository.now_s))


def renewed(repository: Repository) -> None:
    repository.write(lambda rows: renew(rows, repository.online, repository.now_s))


def test_metadata_is_set_up_with_root_and_targets_together() -> None:
    repository = Repository()
    root, targets = signed(repository.first_root, ROOT), signed(repository.first_targets, TARGETS)
    assert code_of(repository.send, root) == "refused-metadata-missing"
    assert code_of(repository.send, None, targets) == "refused-metadata-missing"
    assert repository.files() == {}
    repository.send(root, targets)
    assert sorted(repository.files()) == ["1.root.json", "1.snapshot.json", "1.targets.json", "timestamp.json"]
    assert repository.files()["1.root.json"] == root


def test_a_fleet_that_never_set_metadata_up_publishes_as_ever() -> None:
    repository = Repository()
    repository.publish_with(repository.release("0.3.0"), None)
    assert releases(repository) == ["standard-0.3.0"]
    assert not renewal_due(repository)
    listing = signed(repository.listing(repository.release("0.4.0"), base=repository.first_targets), TARGETS)
    assert code_of(repository.publish_with, repository.release("0.4.0"), listing) == "refused-metadata-missing"


def test_a_release_comes_with_the_list_that_names_it_or_not_at_all(repository: Repository) -> None:
    release = repository.release("0.3.0")
    assert code_of(repository.publish_with, release, None) == "refused-metadata-missing"
    other = signed(repository.listing(), TARGETS)
    assert code_of(repository.publish_with, release, other) == "refused-metadata-missing"
    assert releases(repository) == []
    assert versions(repository)["targets"] == 1
    repository.publish("0.3.0")
    assert releases(repository) == ["standard-0.3.0"]
    path, entry = target_of(release)
    assert repository.newest(Targets).signed.targets == {path: entry}
    assert versions(repository) == {"root": 1, "targets": 2, "snapshot": 2, "timestamp": 2}


def test_publishing_again_needs_no_new_list(repository: Repository) -> None:
    release = repository.publish("0.3.0")
    repository.publish_with(release, None)
    assert versions(repository)["targets"] == 2


def test_a_list_may_name_nothing_that_is_no_release_of_the_fleet(repository: Repository) -> None:
    release = repository.release("0.3.0")
    for stowaway in (
        repository.release("0.9.0"),
        repository.release("0.3.0", sku="heavy"),
        replace(release, format="rauc"),
    ):
        listing = signed(repository.listing(release, stowaway), TARGETS)
        assert code_of(repository.publish_with, release, listing) == "refused-metadata-mismatch"
    assert releases(repository) == []


@pytest.mark.parametrize("changes", [{"sha256": "dd" * 32}, {"size_bytes": 1}, {"digest": "dd" * 32}])
def test_a_list_says_of_a_release_exactly_what_it_is(repository: Repository, changes: dict[str, Any]) -> None:
    release = repository.release("0.3.0")
    listing = signed(repository.listing(replace(release, **changes)), TARGETS)
    assert code_of(repository.publish_with, release, listing) == "refused-metadata-mismatch"


def test_what_a_list_says_of_an_older_release_does_not_change(repository: Repository) -> None:
    older = repository.publish("0.3.0")
    release = repository.release("0.4.0")
    listing = signed(repository.listing(release, replace(older, sha256="dd" * 32)), TARGETS)
    assert code_of(repository.publish_with, release, listing) == "refused-metadata-mismatch"


def test_a_list_may_withdraw_what_it_named(repository: Repository) -> None:
    repository.publish("0.3.0")
    following = repository.listing()
    following.signed.targets.clear()
    repository.send(targets=signed(following, TARGETS))
    assert repository.newest(Targets).signed.targets == {}


def test_a_release_from_before_metadata_can_be_listed_later(repository: Repository) -> None:
    release = repository.release("0.3.0")
    repository.write(lambda rows: rows.put(release))
    repository.publish_with(release, signed(repository.listing(release), TARGETS))
    assert list(repository.newest(Targets).signed.targets) == ["standard/0.3.0.robo"]


def test_a_list_needs_the_signatures_of_its_keys_and_of_no_others() -> None:
    repository = Repository(targets=keys(TARGETS, SECOND_TARGETS, threshold=2))
    repository.set_up(signers=(TARGETS, SECOND_TARGETS))
    release = repository.release("0.3.0")
    for signers in ((TARGETS,), (TARGETS, STRANGER), (ONLINE, ROOT), ()):
        listing = signed(repository.listing(release), *signers)
        assert code_of(repository.publish_with, release, listing) == "refused-metadata-signature"
    repository.publish_with(release, signed(repository.listing(release), TARGETS, SECOND_TARGETS))


def test_a_signature_over_other_bytes_counts_for_nothing(repository: Repository) -> None:
    release = repository.release("0.3.0")
    document = repository.listing(release)
    signed(document, TARGETS)
    document.signed.expires += timedelta(days=1)
    assert code_of(repository.publish_with, release, document.to_bytes()) == "refused-metadata-signature"


@pytest.mark.parametrize("step", [-1, 0, 2])
def test_only_the_next_version_of_a_list_is_taken(repository: Repository, step: int) -> None:
    repository.publish("0.3.0")
    following = repository.listing()
    following.signed.version += step - 1
    assert code_of(repository.send, None, signed(following, TARGETS)) == "refused-metadata-version"


def test_what_has_expired_is_not_taken(repository: Repository) -> None:
    listing, root = (
        signed(repository.listing(), TARGETS),
        repository.rotate_root(lambda root: offline.renewed(root, repository.now), ROOT),
    )
    repository.now_s += 731 * DAY_S
    assert code_of(repository.send, None, listing) == "refused-metadata-expired"
    assert code_of(repository.send, root) == "refused-metadata-expired"


def test_a_list_that_delegates_is_not_taken(repository: Repository) -> None:
    following = repository.listing()
    following.signed.delegations = Delegations({}, {})
    assert code_of(repository.send, None, signed(following, TARGETS)) == "refused-metadata-format"


def test_a_root_needs_the_keys_before_it_and_its_own(repository: Repository) -> None:
    def replaced(root: Metadata[Root]) -> Metadata[Root]:
        return offline.rotate_root_key(root, ROOT.public_key.key_id, NEW.public_key, repository.now)

    for signers in ((ROOT,), (NEW,), (STRANGER, NEW), (ONLINE,)):
        assert code_of(repository.send, repository.rotate_root(replaced, *signers)) == "refused-metadata-signature"
    repository.send(repository.rotate_root(replaced, ROOT, NEW))
    assert versions(repository)["root"] == 2
    back = repository.rotate_root(lambda root: offline.renewed(root, repository.now), ROOT)
    assert code_of(repository.send, back) == "refused-metadata-signature"


def test_a_root_below_its_threshold_is_not_taken() -> None:
    repository = Repository(root=keys(ROOT, SECOND_ROOT, threshold=2))
    assert code_of(repository.set_up) == "refused-metadata-signature"
    repository.set_up((ROOT, SECOND_ROOT))


def test_a_root_that_takes_the_targets_key_away_comes_with_a_new_list(repository: Repository) -> None:
    release = repository.publish("0.3.0")
    root = repository.rotate_root(
        lambda root: offline.rotate_targets_key(root, TARGETS.public_key.key_id, NEW.public_key, repository.now), ROOT
    )
    assert code_of(repository.send, root) == "refused-metadata-signature"
    assert code_of(repository.send, root, signed(repository.listing(), TARGETS)) == "refused-metadata-signature"
    assert versions(repository)["root"] == 1
    repository.send(root, signed(repository.listing(), NEW))
    assert target_of(release)[0] in repository.newest(Targets).signed.targets
    assert code_of(repository.publish, "0.4.0", TARGETS) == "refused-metadata-signature"
    repository.publish("0.4.0", NEW)


def test_the_servers_own_key_signs_news_and_nothing_else() -> None:
    repository = Repository()
    for role in ("root", "targets"):
        root = repository.first_root
        root.signed.roles[role].keyids.append(ONLINE.public_key.key_id)
        targets = signed(repository.first_targets, TARGETS)
        assert code_of(repository.send, signed(root, ROOT), targets) == "refused-metadata-key"
        root.signed.roles[role].keyids.remove(ONLINE.public_key.key_id)


def test_a_root_for_another_servers_key_is_not_taken(repository: Repository) -> None:
    def for_another(root: Metadata[Root]) -> Metadata[Root]:
        return offline.rotate_online_key(root, NEW.public_key, repository.now)

    root = repository.rotate_root(for_another, ROOT)
    assert code_of(repository.send, root) == "refused-metadata-key"
    repository.online = MetadataKey(NEW)
    assert renewal_due(repository)
    assert code_of(renewed, repository) == "refused-metadata-key"
    repository.send(root)
    assert list(repository.newest(Timestamp).signatures) == [NEW.public_key.key_id]
    assert list(repository.newest(Snapshot).signatures) == [NEW.public_key.key_id]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b" " * (512 * 1024 + 1)])
def test_what_is_no_metadata_is_refused(repository: Repository, data: bytes) -> None:
    assert code_of(repository.send, data) == "refused-metadata-format"
    assert code_of(repository.send, None, data) == "refused-metadata-format"


def test_a_document_of_another_role_is_refused(repository: Repository) -> None:
    files = repository.files()
    assert code_of(repository.send, files["1.targets.json"]) == "refused-metadata-format"
    assert code_of(repository.send, None, files["timestamp.json"]) == "refused-metadata-format"


def test_news_is_due_when_half_of_its_time_is_over(repository: Repository) -> None:
    timestamp, made_s = repository.newest(Timestamp), repository.now_s
    assert not due(timestamp, TIMESTAMP_LIFETIME_S, made_s + TIMESTAMP_LIFETIME_S / 2)
    assert due(timestamp, TIMESTAMP_LIFETIME_S, made_s + TIMESTAMP_LIFETIME_S / 2 + 1)
    assert not renewal_due(repository)
    repository.now_s += TIMESTAMP_LIFETIME_S / 2 + 1
    assert renewal_due(repository)
    renewed(repository)
    assert not renewal_due(repository)
    assert versions(repository) == {"root": 1, "targets": 1, "snapshot": 1, "timestamp": 2}


def test_the_snapshot_is_made_anew_before_its_time_is_over(repository: Repository) -> None:
    repository.now_s += SNAPSHOT_LIFETIME_S / 2 + 1
    renewed(repository)
    assert versions(repository) == {"root": 1, "targets": 1, "snapshot": 2, "timestamp": 2}


def test_old_documents_go_and_every_root_stays(repository: Repository) -> None:
    for number in range(3, 10):
        repository.publish(f"0.{number}.0")
        repository.send(repository.rotate_root(lambda root: offline.renewed(root, repository.now), ROOT))
    names = set(repository.files())
    assert {f"{version}.root.json" for version in range(1, 9)} <= names
    newest = versions(repository)["targets"]
    kept = {name for name in names if name.endswith("targets.json")}
    assert kept == {f"{newest - back}.targets.json" for back in range(KEPT_VERSIONS)}


def test_every_document_reads_as_what_it_is(repository: Repository) -> None:
    repository.publish("0.3.0")
    entry = read_document(Targets, repository.files()["2.targets.json"]).signed.targets["standard/0.3.0.robo"]
    assert isinstance(entry, TargetFile) and entry.custom["version"] == "0.3.0"


def test_a_document_without_a_canonical_form_is_refused(repository: Repository) -> None:
    document = json.loads(signed(repository.listing(), TARGETS))
    document["signed"]["share"] = 1.5
    assert code_of(repository.send, None, json.dumps(document).encode()) == "refused-metadata-format"


def test_a_refusal_does_not_repeat_a_name_without_end(repository: Repository) -> None:
    following = repository.listing(repository.release("0.3.0", "s" * 5000))
    with pytest.raises(Refused) as caught:
        repository.send(None, signed(following, TARGETS))
    assert caught.value.code == "refused-metadata-mismatch" and len(caught.value.message) < 300
