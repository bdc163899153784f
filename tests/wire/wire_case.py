"""Values of every wire format, full and minimal."""

from surefoot.wire.fields import encode_object
from surefoot.wire.health import HealthSums, HealthWindow
from surefoot.wire.journal import Journal, Label, blank_journal
from surefoot.wire.manifest import Manifest, SignedManifest, encode_manifest
from surefoot.wire.offer import Answer, Delta, Offer, offer_to_object
from surefoot.wire.report import AssignmentReport, Report, SlotReport
from surefoot.wire.version import Version

DIGEST = "0123456789abcdef" * 4
VERSION = Version(major=0, minor=3, patch=0)

MANIFEST = Manifest(
    name="firmware",
    sku="standard",
    version=VERSION,
    digest=DIGEST,
    size_bytes=1048576,
    protocol=1,
    companion_versions=("0.1", "0.2.4"),
    from_version_min=Version(major=0, minor=1, patch=7),
    version_floor=Version(major=0, minor=2, patch=0),
    delta_sources=("76" * 32,),
    trusted_keys=(bytes(range(64)),),
    expires_at_s=1_800_000_000,
    notes='Walks "better".',
)
SIGNED = SignedManifest(payload=encode_manifest(MANIFEST), key_id="ab" * 32, signature=bytes(range(64)))
DELTA = Delta(
    url="https://fleet.example/v1/images/2",
    sha256="98" * 32,
    size_bytes=36089,
    source_digest="76" * 32,
)
OFFER = Offer(
    id="01J-assignment",
    url="https://fleet.example/v1/images/1",
    sha256="ef" * 32,
    size_bytes=1048712,
    digest=DIGEST,
    version=VERSION,
    sku="standard",
    release="standard-0.3.0",
    manifest=SIGNED,
    force=True,
    rollback=True,
    attempt=2,
    delta=DELTA,
)
ANSWER = Answer(acknowledged="01J-before", offer=OFFER, cancelled=None, stale=True, next_check_s=300)
REPORT = Report(
    robot_id="robot-001",
    sku="standard",
    epoch="epoch-1",
    boot=17,
    seq=42,
    running=SlotReport(slot="ota_0", version="0.2.1", digest=DIGEST, state="confirmed"),
    spare=SlotReport(slot="ota_1", version=None, digest=None, state="unknown"),
    assignment=AssignmentReport(id="01J", state="trial", attempts=1, received_bytes=1048576, code=None),
    version_floor="0.1.0",
    protocol=1,
    companion_version="0.1.4",
    trusted_keys=("ab" * 32, "cd" * 32),
    accepts=("sfd1",),
    code="damaged-journal",
)
SUMS = HealthSums(
    length_s=60.5,
    ok_s=50.0,
    warn_s=4.25,
    error_s=1.5,
    stale_s=0.5,
    topics=(("/imu/data", 49.5), ("scan", 9.75)),
    battery_start_percent=78.5,
    battery_end_percent=78.0,
    charging_s=2.0,
    stops_operator=1,
    stops_other=2,
    reboots=3,
    handshakes_tried=40,
    handshakes_failed=4,
)
WINDOW = HealthWindow(robot_id="robot-001", epoch="epoch-1", boot=17, number=3, sums=SUMS)
# As robots' bridges publish it today.
DIAGNOSTICS = {
    "timestamp": 1705312200.125,
    "robot_id": "robot-001",
    "status": [
        {
            "name": "robot-001/battery",
            "level": 0,
            "message": "OK: 78%",
            "values": {"percentage": "78.2", "voltage_v": "7.84"},
        },
        {
            "name": "robot-001/safety",
            "level": 0,
            "message": "Normal operation",
            "values": {"estop_active": "false"},
        },
    ],
}


def offer_of_bytes(size_bytes: int) -> Offer:
    """Return an offer that is so long as JSON, by what its manifest says."""
    bare = OFFER.replace(delta=None)
    room = size_bytes - len(encode_object(offer_to_object(bare)))
    # A quote takes two bytes of JSON, so the manifest itself stays within its own limit.
    return bare.replace(manifest=SIGNED.replace(payload=SIGNED.payload + b'"' * (room // 2) + b" " * (room % 2)))


HEADER = b"OBOR" + b"\x00\x03\x00\x00" + b"\x00\x00\x10\x00" + bytes(range(32)) + bytes(64) + bytes(28)
JOURNAL: Journal = blank_journal("epoch-1").replace(
    boot=17,
    state="staged",
    offer=OFFER,
    attempts=1,
    restarts=2,
    code="download-interrupted",
    acknowledged=True,
    received_bytes=65536,
    header=HEADER,
    source_slot="ota_0",
    source_digest=DIGEST,
    version_floor=VERSION,
    labels=(Label(digest=DIGEST, version="0.2.1"), Label(digest="ef" * 32, version="0.3.0")),
    trusted_keys=(bytes(range(64)),),
)
