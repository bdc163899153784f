"""What a stranger who has the whole update server cannot make a chip run: it goes by the keys built into it alone.

The attacks are those of the TUF specification, section 1.5.2, as far as a robot without metadata can meet them. What
it cannot see, being frozen at news that is old but still signed, is a companion's to notice.
"""

from agent import agent_case as case
from agent.agent_case import KEY, NEW, NEW_FILE, NEW_VERSION, OFFER, OTHER_KEY, SPARE, answer
from support import code_of
from surefoot.agent import events as on
from surefoot.agent.download import RESTARTS_MAX
from surefoot.trust.keys import KeyRing
from surefoot.wire.codes import CODES
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.manifest import parse_manifest
from surefoot.wire.offer import offer_from_object, offer_to_object
from surefoot.wire.report import DOWNLOADING, REFUSED, VERIFYING
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.offer import Offer

BARE = OFFER.replace(manifest=None)


def version(text: str) -> Version:
    return Version.parse(text)


def ending_of(robot: case.Robot) -> str:
    """Return the code under which the robot reports that it refused its assignment."""
    said = robot.report.assignment
    assert said is not None and said.state == REFUSED and said.code in CODES, said
    return said.code


def offered(offer: "Offer", now_s: "int | None" = None) -> str:
    """Offer this to a robot, which must refuse it before it downloads anything."""
    robot = case.Robot()
    robot.boots()
    robot.on(answer(offer, now_s=now_s))
    assert robot.fetch is None
    return ending_of(robot)


def downloaded(offer: "Offer", file: bytes) -> str:
    """Offer this and send this file, which the robot must refuse before it may boot it."""
    robot = case.offered(offer)
    while robot.journal.state == DOWNLOADING:
        robot.on(on.PreflightPassed())
        robot.receive(file)
        if robot.journal.state == VERIFYING:
            robot.on(on.PreflightPassed())
            robot.on(case.digested(file))
    return ending_of(robot)


def test_arbitrary_install_of_an_image_that_no_trusted_key_signed() -> None:
    file = case.file_of(NEW, NEW_VERSION, OTHER_KEY)
    offer = OFFER.replace(sha256=case.digest_of(file))
    assert downloaded(offer, file) == "refused-signature"


def test_arbitrary_install_of_other_bytes_behind_a_signed_header() -> None:
    evil = b"evil" * 5000
    file = NEW_FILE[:HEADER_BYTES] + evil
    assert len(evil) == len(NEW)
    assert downloaded(OFFER.replace(sha256=case.digest_of(file)), file) == "refused-digest"


def test_arbitrary_install_by_a_manifest_that_no_trusted_key_signed() -> None:
    assert OFFER.manifest is not None
    forged = case.sign_manifest(parse_manifest(OFFER.manifest.payload), OTHER_KEY)
    assert offered(OFFER.replace(manifest=forged)) == "refused-manifest-signature"
    assert offered(OFFER.replace(manifest=forged.replace(key_id=KEY.key_id))) == "refused-manifest-signature"


def test_a_manifest_swapped_for_that_of_another_release() -> None:
    other = case.manifest_of(SPARE, version("0.2.0"))
    assert offered(OFFER.replace(manifest=other)) == "refused-manifest-mismatch"
    same_version = case.manifest_of(SPARE, NEW_VERSION)
    assert offered(OFFER.replace(manifest=same_version)) == "refused-manifest-mismatch"
    assert downloaded(OFFER.replace(manifest=same_version, digest=None), NEW_FILE) == "refused-digest"


def test_wrong_software_an_image_for_another_sku() -> None:
    heavy = case.manifest_of(NEW, NEW_VERSION, sku="heavy")
    assert offered(OFFER.replace(sku="heavy", manifest=heavy)) == "refused-sku"
    assert offered(OFFER.replace(sku=None, manifest=heavy)) == "refused-sku"
    assert offered(OFFER.replace(manifest=heavy)) == "refused-manifest-mismatch"


def test_wrong_software_with_the_manifest_that_names_its_sku_left_out() -> None:
    assert offered(OFFER.replace(manifest=None)) == "refused-manifest-missing"
    assert offered(OFFER.replace(manifest=None, sku=None, digest=None)) == "refused-manifest-missing"


def test_rollback_to_an_older_signed_release() -> None:
    old = case.offer_of(SPARE, version("0.2.0"))
    assert offered(old) == "refused-version-order"
    assert offered(old.replace(force=True)) == "refused-version-order"


def test_rollback_below_the_version_floor_even_by_order() -> None:
    ancient = case.offer_of(SPARE, version("0.0.9"))
    for offer in (ancient, ancient.replace(rollback=True), ancient.replace(rollback=True, force=True)):
        assert offered(offer) == "refused-version-floor"


def test_a_header_edited_to_make_an_old_image_look_new() -> None:
    header = ImageHeader.parse(case.file_of(SPARE, version("0.2.0"))[:HEADER_BYTES])
    file = header.replace(version=NEW_VERSION).encode() + SPARE
    posing = case.offer_of(SPARE, NEW_VERSION, sha256=case.digest_of(file), manifest=None)
    assert downloaded(posing, file) == "refused-version-unbound"
    honest = case.manifest_of(SPARE, version("0.2.0"))
    assert offered(posing.replace(manifest=honest)) == "refused-manifest-mismatch"


def test_freeze_at_a_release_whose_manifest_has_expired() -> None:
    expired = OFFER.replace(manifest=case.manifest_of(NEW, NEW_VERSION, expires_at_s=1000))
    assert offered(expired, now_s=1000) == "refused-manifest-expired"
    assert case.offered(expired).journal.state != REFUSED, "a chip that does not know the time cannot tell"


def test_fast_forward_to_a_version_that_locks_everything_later_out() -> None:
    # The floor rises by what a trusted key signed for an image that proved itself, and by nothing else.
    assert code_of(case.manifest_of, NEW, NEW_VERSION, version_floor=version("9.0.0")) == "refused-manifest-format"
    highest = version("65535.255.255")
    file = case.file_of(NEW, highest)
    posing = BARE.replace(version=highest, sha256=case.digest_of(file))
    assert downloaded(posing, file) == "refused-version-unbound"


def test_mix_and_match_of_a_new_offer_with_the_file_of_another() -> None:
    file = case.file_of(SPARE, version("0.2.0"))
    assert downloaded(OFFER, file) == "refused-image-format"
    as_long = case.file_of(b"wen?" * 5000, version("0.2.0"))
    assert len(as_long) == len(NEW_FILE)
    assert downloaded(OFFER, as_long) == "refused-digest"


def test_endless_data_behind_the_image_that_the_header_announces() -> None:
    robot = case.offered()
    pieces = 0
    while robot.journal.state == DOWNLOADING:
        robot.on(on.PreflightPassed())
        robot.on(on.ChunkArrived(offset_bytes=0, data=NEW_FILE[:HEADER_BYTES]))
        offset = HEADER_BYTES
        while robot.fetch is not None:
            robot.on(on.ChunkArrived(offset_bytes=offset, data=b"\0" * CHUNK_BYTES))
            offset, pieces = offset + CHUNK_BYTES, pieces + 1
    assert ending_of(robot) == "refused-image-format"
    assert pieces <= (RESTARTS_MAX + 1) * (len(NEW) // CHUNK_BYTES + 1)


def test_endless_data_announced_beyond_the_slot() -> None:
    image = bytes(65537)
    assert downloaded(case.offer_of(image, NEW_VERSION), case.file_of(image, NEW_VERSION)) == "refused-size"


def test_an_offer_too_long_to_remember() -> None:
    assert OFFER.manifest is not None
    bloated = OFFER.replace(manifest=OFFER.manifest.replace(payload=OFFER.manifest.payload + b" " * 3000))
    assert code_of(offer_from_object, offer_to_object(bloated)) in ("refused-offer-format", "refused-manifest-format")


def test_a_key_taken_back_signs_nothing_that_is_still_believed() -> None:
    without = case.IDENTITY.replace(ring=KeyRing(keys=(OTHER_KEY,)))
    robot = case.Robot(identity=without)
    robot.boots()
    robot.on(answer(OFFER))
    assert ending_of(robot) == "refused-manifest-signature"


def test_a_compromised_key_still_cannot_go_below_the_floor_or_to_another_sku() -> None:
    # Whoever has the key itself signs what he likes; only a firmware without the key ends that.
    assert case.offered(case.offer_of(b"his own" * 600, version("0.9.0"))).journal.state != REFUSED
    assert offered(case.offer_of(SPARE, version("0.0.1"), rollback=True)) == "refused-version-floor"


def test_what_signed_metadata_refuses_ends_under_its_code() -> None:
    for code in ("refused-metadata-mismatch", "refused-metadata-signature", "refused-metadata-rollback"):
        robot = case.Robot()
        robot.boots()
        robot.on(answer(OFFER, refusal=code))
        assert robot.fetch is None
        assert ending_of(robot) == code
