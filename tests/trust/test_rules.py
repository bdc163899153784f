"""What a robot believes of an offer and of an image, refusal by refusal."""

import hashlib

from agent import agent_case as case
from agent.agent_case import KEY, NEW, NEW_VERSION, OFFER, OTHER_KEY
from support import code_of
from surefoot.trust.keys import KeyRing
from surefoot.trust.rules import Ground, believe_manifest, check_image, check_manifest_of, check_offer, check_version
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import SignedManifest, parse_manifest
from surefoot.wire.offer import Offer
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNNING = Version(major=0, minor=2, patch=1)
GROUND = Ground(
    sku="standard",
    running_version=RUNNING,
    version_floor=Version(major=0, minor=1, patch=0),
    companion_version="0.1.4",
    ring=KeyRing(keys=(KEY,)),
    verify=case.verify,
    needs_manifest=False,
    now_s=1_800_000_000,
)
HEADER = ImageHeader.parse(case.NEW_FILE[:HEADER_BYTES])
DIGEST = case.digest_of(NEW)
BARE = OFFER.replace(manifest=None)
assert OFFER.manifest is not None
SIGNED: SignedManifest = OFFER.manifest
MANIFEST = parse_manifest(SIGNED.payload)


def version(text: str) -> Version:
    return Version.parse(text)


def judge(offer: Offer = OFFER, header: ImageHeader = HEADER, digest: str = DIGEST, descriptor: str = "") -> Version:
    """Judge offer and image as a robot does, one after the other."""
    return check_image(header, digest, descriptor, check_offer(offer, GROUND), offer, GROUND)


def test_a_good_image_gets_the_version_that_something_signed_names() -> None:
    assert judge() == NEW_VERSION
    assert judge(descriptor="v0.3.0") == NEW_VERSION
    assert judge(BARE, descriptor="0.3.0") == NEW_VERSION


def test_a_manifest_is_believed_only_when_a_trusted_key_signed_these_bytes() -> None:
    assert believe_manifest(SIGNED, GROUND.ring, case.verify) == MANIFEST
    foreign = case.sign_manifest(MANIFEST, OTHER_KEY)
    changed = SIGNED.replace(payload=SIGNED.payload.replace(b"0.3.0", b"0.9.0"))
    borrowed = SIGNED.replace(key_id=OTHER_KEY.key_id)
    reformatted = SIGNED.replace(payload=SIGNED.payload + b" ")
    for signed in (foreign, changed, borrowed, reformatted, SIGNED.replace(signature=bytes(64))):
        assert code_of(believe_manifest, signed, GROUND.ring, case.verify) == "refused-manifest-signature"
        assert code_of(check_offer, OFFER.replace(manifest=signed), GROUND) == "refused-manifest-signature"
    assert code_of(believe_manifest, SIGNED, KeyRing(keys=()), case.verify) == "refused-manifest-signature"
    assert believe_manifest(foreign, KeyRing(keys=(KEY, OTHER_KEY)), case.verify) == MANIFEST


def test_a_manifest_is_refused_before_it_is_parsed_unless_it_is_signed() -> None:
    garbage = SIGNED.replace(payload=b"not json")
    assert code_of(believe_manifest, garbage, GROUND.ring, case.verify) == "refused-manifest-signature"


def test_a_signed_manifest_that_is_none_is_refused() -> None:
    payload = b"not json"
    signature = case.sign(KEY, hashlib.sha256(payload).digest())
    signed = SignedManifest(payload=payload, key_id=KEY.key_id, signature=signature)
    assert code_of(believe_manifest, signed, GROUND.ring, case.verify) == "refused-manifest-format"


def test_a_manifest_of_another_release_is_refused() -> None:
    assert code_of(check_offer, OFFER.replace(version=version("0.4.0")), GROUND) == "refused-manifest-mismatch"
    assert code_of(check_offer, OFFER.replace(digest="0" * 64), GROUND) == "refused-manifest-mismatch"
    assert code_of(check_offer, OFFER.replace(sku="heavy"), GROUND) == "refused-manifest-mismatch"
    assert code_of(check_manifest_of, MANIFEST, "standard", version("9.0.0"), None) == "refused-manifest-mismatch"
    check_manifest_of(MANIFEST, None, NEW_VERSION, None)


def test_an_image_for_another_sku_is_refused_whoever_says_so() -> None:
    assert code_of(check_offer, BARE.replace(sku="heavy"), GROUND) == "refused-sku"
    heavy = case.manifest_of(NEW, NEW_VERSION, sku="heavy")
    assert code_of(check_offer, OFFER.replace(sku=None, manifest=heavy), GROUND) == "refused-sku"
    assert check_offer(BARE.replace(sku=None), GROUND) is None


def with_manifest(**changes: "Any") -> Offer:
    return OFFER.replace(manifest=case.manifest_of(NEW, NEW_VERSION, **changes))


def test_a_release_is_installed_only_over_the_version_it_names_or_a_later_one() -> None:
    assert code_of(check_offer, with_manifest(from_version_min=version("0.2.2")), GROUND) == "refused-version-too-old"
    check_offer(with_manifest(from_version_min=RUNNING), GROUND)
    # Nothing signed says what runs: that is no reason to keep it for ever.
    check_offer(with_manifest(from_version_min=version("0.2.2")), GROUND.replace(running_version=None))


def test_a_release_that_does_not_work_with_the_companion_is_refused() -> None:
    for lines in (("0.1",), ("0.2", "0.1.4"), ("0",), ()):
        check_offer(with_manifest(companion_versions=lines), GROUND)
    for lines in (("0.2",), ("0.1.5", "1"), ("0.1.40",), ("0.1.4.1",), ("0.",)):
        assert code_of(check_offer, with_manifest(companion_versions=lines), GROUND) == "refused-companion", lines
    newer = GROUND.replace(companion_version="0.10.4")
    assert code_of(check_offer, with_manifest(companion_versions=("0.1",)), newer) == "refused-companion"
    check_offer(with_manifest(companion_versions=("9",)), GROUND.replace(companion_version=None))


def test_an_expired_manifest_is_refused_by_a_robot_that_knows_the_time() -> None:
    expired = with_manifest(expires_at_s=1_800_000_000)
    assert code_of(check_offer, expired, GROUND) == "refused-manifest-expired"
    check_offer(expired, GROUND.replace(now_s=1_799_999_999))
    check_offer(expired, GROUND.replace(now_s=None))


def test_a_version_not_above_the_running_one_is_refused() -> None:
    for text in ("0.2.1", "0.2.0", "0.1.0"):
        assert code_of(check_offer, BARE.replace(version=version(text)), GROUND) == "refused-version-order"
    check_version(version("0.2.2"), BARE, GROUND)


def test_the_running_version_again_is_taken_by_force_and_no_lower_one() -> None:
    forced = BARE.replace(force=True)
    check_version(RUNNING, forced, GROUND)
    assert code_of(check_version, version("0.2.0"), forced, GROUND) == "refused-version-order"


def test_a_rollback_order_may_go_down_to_the_floor_and_never_below() -> None:
    order = BARE.replace(rollback=True)
    for text in ("0.2.1", "0.2.0", "0.1.0"):
        check_version(version(text), order, GROUND)
    for offer in (order, order.replace(force=True), BARE):
        assert code_of(check_version, version("0.0.255"), offer, GROUND) == "refused-version-floor"


def test_a_robot_that_does_not_know_its_version_keeps_to_the_floor() -> None:
    unknown = GROUND.replace(running_version=None)
    check_version(version("0.1.0"), BARE, unknown)
    assert code_of(check_version, version("0.0.9"), BARE, unknown) == "refused-version-floor"


def test_firmware_other_than_the_header_the_offer_or_the_manifest_names_is_refused() -> None:
    assert code_of(judge, OFFER, HEADER, "0" * 64) == "refused-digest"
    other = b"another image"
    header = ImageHeader.parse(case.file_of(other, NEW_VERSION)[:HEADER_BYTES])
    assert code_of(judge, OFFER, header, case.digest_of(other)) == "refused-digest"
    assert code_of(judge, OFFER.replace(digest=None), header, case.digest_of(other)) == "refused-digest"
    assert code_of(judge, BARE, header, case.digest_of(other), "0.3.0") == "refused-digest"
    assert judge(BARE.replace(digest=None), header, case.digest_of(other), "0.3.0") == NEW_VERSION


def test_firmware_signed_by_no_trusted_key_is_refused() -> None:
    header = ImageHeader.parse(case.file_of(NEW, NEW_VERSION, OTHER_KEY)[:HEADER_BYTES])
    assert code_of(judge, OFFER, header) == "refused-signature"


def test_a_header_edited_upwards_does_not_pass_for_a_newer_version() -> None:
    # The attack: an old signed image, its unsigned header and the offer made to say 0.3.0.
    header = ImageHeader.parse(case.file_of(NEW, version("0.2.1"))[:HEADER_BYTES]).replace(version=NEW_VERSION)
    assert code_of(judge, BARE, header, DIGEST, "0.2.1") == "refused-version-mismatch"
    assert code_of(judge, BARE.replace(version=version("0.2.1")), header, DIGEST, "0.2.1") == "refused-version-order"
    honest = case.manifest_of(NEW, version("0.2.1"))
    assert code_of(judge, OFFER.replace(manifest=honest), header) == "refused-manifest-mismatch"
    rollback = OFFER.replace(manifest=honest, version=version("0.2.1"), rollback=True)
    assert code_of(judge, rollback, header) == "refused-version-mismatch"


def test_a_version_that_nothing_signed_names_is_refused() -> None:
    for descriptor in ("", "9f3c1ab-dirty", "1.0.0-rc1"):
        assert code_of(judge, BARE, HEADER, DIGEST, descriptor) == "refused-version-unbound"


def test_descriptor_and_manifest_must_agree() -> None:
    assert code_of(judge, OFFER, HEADER, DIGEST, "0.3.1") == "refused-version-mismatch"
    assert code_of(judge, OFFER, HEADER, DIGEST, "0.2.1") == "refused-version-mismatch"


def test_a_descriptor_with_an_impossible_version_is_refused() -> None:
    assert code_of(judge, OFFER, HEADER, DIGEST, "0.3.256") == "refused-version-format"


def test_the_order_of_versions_is_judged_again_by_the_signed_one() -> None:
    header = ImageHeader.parse(case.file_of(NEW, version("0.2.0"))[:HEADER_BYTES])
    old = BARE.replace(version=version("0.2.0"))
    assert code_of(check_image, header, DIGEST, "0.2.0", None, old, GROUND) == "refused-version-order"
    low = ImageHeader.parse(case.file_of(NEW, version("0.0.1"))[:HEADER_BYTES])
    order = BARE.replace(version=version("0.0.1"), rollback=True)
    assert code_of(check_image, low, DIGEST, "0.0.1", None, order, GROUND) == "refused-version-floor"
