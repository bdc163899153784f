"""Metadata as offline keys make it; that clients believe it is tested where they do."""

from datetime import UTC, datetime

import pytest
from securesystemslib.exceptions import UnverifiedSignatureError
from tuf.api.metadata import Metadata, Root, Targets

from metadata_case import NEW, ONLINE, ROOT, SECOND_ROOT, STRANGER, TARGETS, keys
from support import code_of
from surefoot.signing import metadata
from surefoot.signing.metadata import RoleKeys

NOW = datetime(2027, 1, 15, 8, 0, 0, 123, tzinfo=UTC)
ENTRY = {"length": 5, "hashes": {"sha256": "ab" * 32}, "custom": {"sku": "standard"}}
PATH = "standard/0.3.0.robo"


def a_root() -> Metadata[Root]:
    return metadata.make_root(keys(ROOT), keys(TARGETS), ONLINE.public_key, NOW)


@pytest.mark.parametrize(("count", "threshold"), [(1, 0), (1, 2), (0, 1)])
def test_a_threshold_that_its_keys_cannot_reach_is_refused(count: int, threshold: int) -> None:
    holders = (ROOT.public_key, ROOT.public_key)[:count]
    assert code_of(RoleKeys, keys=holders, threshold=threshold) == "refused-metadata-threshold"


def test_one_key_named_twice_is_one_key() -> None:
    twice = (ROOT.public_key, ROOT.public_key)
    assert code_of(RoleKeys, keys=twice, threshold=2) == "refused-metadata-threshold"


def test_the_first_root_gives_every_role_its_keys_under_the_ids_they_have_everywhere() -> None:
    root = a_root().signed
    roles = {name: (role.keyids, role.threshold) for name, role in root.roles.items()}
    online = ([ONLINE.public_key.key_id], 1)
    assert roles == {
        "root": ([ROOT.public_key.key_id], 1),
        "targets": ([TARGETS.public_key.key_id], 1),
        "snapshot": online,
        "timestamp": online,
    }
    assert {key.scheme for key in root.keys.values()} == {"ecdsa-sha2-nistp256"}
    assert root.consistent_snapshot and root.version == 1


def test_the_servers_own_key_is_no_offline_key() -> None:
    code = code_of(metadata.make_root, keys(ROOT, ONLINE), keys(TARGETS), ONLINE.public_key, NOW)
    assert code == "refused-metadata-key"


def test_a_signature_is_one_that_others_verify() -> None:
    root = a_root()
    metadata.endorse(root, ROOT)
    metadata.endorse(root, SECOND_ROOT)
    root.verify_delegate("root", root)
    signature = root.signatures[SECOND_ROOT.public_key.key_id]
    metadata.tuf_key(SECOND_ROOT.public_key).verify_signature(signature, root.signed_bytes)
    with pytest.raises(UnverifiedSignatureError):
        metadata.tuf_key(STRANGER.public_key).verify_signature(signature, root.signed_bytes)


def test_who_signed_a_document_as_it_stands_can_be_told() -> None:
    targets = metadata.make_targets(NOW)
    metadata.endorse(targets, TARGETS)
    assert metadata.is_endorsed_by(targets, TARGETS.public_key)
    assert not metadata.is_endorsed_by(targets, STRANGER.public_key)
    targets.signed.version += 1
    assert not metadata.is_endorsed_by(targets, TARGETS.public_key)


def test_a_list_with_one_entry_more_is_the_next_version_and_unsigned() -> None:
    first = metadata.make_targets(NOW)
    metadata.endorse(first, TARGETS)
    second = metadata.with_target(first, PATH, ENTRY, NOW)
    assert (second.signed.version, second.signatures) == (2, {})
    assert metadata.lists(second, PATH, ENTRY) and not metadata.lists(first, PATH, ENTRY)
    assert (first.signed.version, len(first.signatures)) == (1, 1)
    assert code_of(metadata.with_target, second, PATH, {**ENTRY, "length": 6}, NOW) == "refused-release-exists"
    assert metadata.read_metadata(Targets, second.to_bytes()) == second


def test_replacing_a_key_touches_its_own_role_alone() -> None:
    root = a_root()
    old = TARGETS.public_key.key_id
    following = metadata.rotate_targets_key(root, old, NEW.public_key, NOW).signed
    assert following.version == 2
    assert following.roles["targets"].keyids == [NEW.public_key.key_id]
    assert old not in following.keys
    assert following.roles["root"] == root.signed.roles["root"]
    assert root.signed.roles["targets"].keyids == [old]
    assert code_of(metadata.rotate_root_key, root, old, NEW.public_key, NOW) == "refused-metadata-key"
    online = metadata.rotate_online_key(root, NEW.public_key, NOW).signed
    assert online.roles["timestamp"].keyids == online.roles["snapshot"].keyids == [NEW.public_key.key_id]


def test_what_is_no_metadata_of_the_role_is_refused() -> None:
    for data in (b"", b"{}", b"\xff", b" " * (512 * 1024 + 1), metadata.make_targets(NOW).to_bytes()):
        assert code_of(metadata.read_metadata, Root, data) == "refused-metadata-format"
