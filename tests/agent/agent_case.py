"""A robot to walk through the agent's table: the test brings the events, the robot records what was asked of it."""

import binascii
import hashlib

from surefoot.agent import effects as do
from surefoot.agent import events as on
from surefoot.agent.resume import boot
from surefoot.agent.table import advance
from surefoot.agent.values import Identity, SlotImage, Slots
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.delta import FORMAT
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.journal import IDLE, Journal, encode_journal, load_journal
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.manifest import Manifest, SignedManifest, encode_manifest
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import CONFIRMED, CONFIRMING, DOWNLOADING, EMPTY, STAGED, TRIAL
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surefoot.agent.steps import Step
    from surefoot.agent.values import AgentState
    from surefoot.wire.report import Report

# RFC 6979 section A.2.5, and the base point of the curve: two points, which is all a key must be here.
KEY = PublicKey.from_xy(
    binascii.unhexlify(
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    )
)
OTHER_KEY = PublicKey.from_xy(
    binascii.unhexlify(
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
)

BLOCK_BYTES = 2 * CHUNK_BYTES
OLD = b"old" * 3000
NEW = b"new!" * 5000  # five chunks, the last one short, in three blocks
SPARE = b"spare" * 2000
OLD_VERSION = Version(major=0, minor=2, patch=1)
NEW_VERSION = Version(major=0, minor=3, patch=0)
SPARE_VERSION = Version(major=0, minor=2, patch=0)
FLOOR = Version(major=0, minor=1, patch=0)

# What must be recorded before each effect that cannot be taken back.
RECORDED_BEFORE: "dict[Any, tuple[str, ...]]" = {
    do.PrepareSpare: (DOWNLOADING,),
    do.EraseBlock: (DOWNLOADING,),
    do.WriteChunk: (DOWNLOADING,),
    do.SetBootSlot: (STAGED,),
    do.Confirm: (CONFIRMING,),
    do.GoBack: (TRIAL, IDLE),
    do.Reboot: (STAGED, TRIAL, IDLE),
}


def sign(key: PublicKey, digest: bytes) -> bytes:
    """Return what `verify` takes for a signature: the real curve has tests of its own, and takes its time."""
    return key.xy[:32] + digest


def verify(xy: bytes, digest: bytes, signature: bytes) -> bool:
    return signature == xy[:32] + digest


def digest_of(data: bytes) -> str:
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


def file_of(image: bytes, version: Version, key: PublicKey = KEY) -> bytes:
    """Return the image as it is downloaded."""
    digest = digest_of(image)
    signature = sign(key, binascii.unhexlify(digest))
    header = ImageHeader(version=version, size_bytes=len(image), digest=digest, signature=signature)
    return header.encode() + image


def manifest_of(image: bytes, version: Version, **changes: "Any") -> SignedManifest:
    manifest = Manifest(
        name="firmware",
        sku="standard",
        version=version,
        digest=digest_of(image),
        size_bytes=len(image),
        protocol=1,
        companion_versions=(),
        from_version_min=None,
        version_floor=None,
        delta_sources=(),
        trusted_keys=(),
        expires_at_s=None,
        notes=None,
    )
    return sign_manifest(manifest.replace(**changes), KEY)


def sign_manifest(manifest: Manifest, key: PublicKey) -> SignedManifest:
    payload = encode_manifest(manifest)
    return SignedManifest(payload=payload, key_id=key.key_id, signature=sign(key, hashlib.sha256(payload).digest()))


def offer_of(image: bytes, version: Version, **changes: "Any") -> Offer:
    file = file_of(image, version)
    offer = Offer(
        id="assignment-1",
        url="https://fleet.example/v1/images/1",
        sha256=digest_of(file),
        size_bytes=len(file),
        digest=digest_of(image),
        version=version,
        sku="standard",
        release="standard-1",
        manifest=manifest_of(image, version),
        force=False,
        rollback=False,
        attempt=1,
        delta=None,
    )
    return offer.replace(**changes)


NEW_FILE = file_of(NEW, NEW_VERSION)
OFFER = offer_of(NEW, NEW_VERSION)

IDENTITY = Identity(
    robot_id="robot-001",
    sku="standard",
    ring=KeyRing(keys=(KEY,)),
    verify=verify,
    version_floor=FLOOR,
    protocol=1,
    companion_version="0.1.4",
    chip_id=None,
    attempts_max=3,
    needs_manifest=True,
)


def image_in(slot: str, image: bytes, version: str, state: str = CONFIRMED) -> SlotImage:
    return SlotImage(slot=slot, digest=digest_of(image), version=version, state=state)


def slots_of(running: SlotImage, spare: SlotImage) -> Slots:
    return Slots(running=running, spare=spare, spare_bytes=65536, block_bytes=BLOCK_BYTES, enforces_trial=True)


EMPTY_SPARE = SlotImage(slot="ota_1", digest=None, version="", state=EMPTY)
RUNS_OLD = slots_of(image_in("ota_0", OLD, "0.2.1"), EMPTY_SPARE)
HAS_SPARE = slots_of(image_in("ota_0", OLD, "0.2.1"), image_in("ota_1", SPARE, "0.2.0"))


def runs_new(state: str = TRIAL, image: bytes = NEW) -> Slots:
    """The slots after a boot into the new image."""
    return slots_of(image_in("ota_1", image, "", state), image_in("ota_0", OLD, "0.2.1"))


def runs_old(spare_state: str) -> Slots:
    """The slots after a boot into the old image, with the new one in the spare slot."""
    return slots_of(image_in("ota_0", OLD, "0.2.1"), image_in("ota_1", NEW, "", spare_state))


def answer(
    offer: "Offer | None" = None,
    acknowledged: "str | None" = None,
    cancelled: "str | None" = None,
    stale: bool = False,
    refusal: "str | None" = None,
    now_s: "int | None" = None,
) -> on.Answered:
    said = Answer(acknowledged=acknowledged, offer=offer, cancelled=cancelled, stale=stale, next_check_s=None)
    return on.Answered(answer=said, refusal=refusal, now_s=now_s)


def digested(file: bytes, version: str = "", chip_id: "int | None" = None) -> on.SpareDigested:
    """What reading the spare slot back yields when this file was put there."""
    return on.SpareDigested(
        sha256=digest_of(file),
        digest=digest_of(file[HEADER_BYTES:]),
        descriptor_version=version,
        chip_id=chip_id,
        image_code=None,
    )


class Robot:
    """The agent, what it recorded, and what it asked for; demands a record before every effect that acts."""

    def __init__(self, slots: Slots = RUNS_OLD, identity: Identity = IDENTITY) -> None:
        self.identity = identity
        self.slots = slots
        self.saved: "Journal | None" = None
        self.reports: "list[Report]" = []
        self.spare = bytearray(slots.spare_bytes)
        self.fetch: "do.Fetch | None" = None
        self.delay_s = 0
        self.accepts: "tuple[str, ...]" = (FORMAT,)
        self._state: "AgentState | None" = None

    @property
    def state(self) -> "AgentState":
        assert self._state is not None
        return self._state

    @property
    def journal(self) -> Journal:
        return self.state.journal

    @property
    def report(self) -> "Report":
        return self.reports[-1]

    def boots(self, slots: "Slots | None" = None, damaged: bool = False, fresh_epoch: str = "epoch-1") -> str:
        """Start the agent from what was recorded; return the names of the effects."""
        if slots is not None:
            self.slots = slots
        event = on.Booted(
            slots=self.slots, journal=self.saved, damaged=damaged, fresh_epoch=fresh_epoch, accepts=self.accepts
        )
        return self._carry_out(boot(self.identity, event))

    def on(self, event: on.Event) -> str:
        """Bring one event; return the names of the effects, in order."""
        return self._carry_out(advance(self.state, event))

    def receive(self, file: bytes, stop_at: "int | None" = None) -> "list[str]":
        """Bring the pieces of a file as asked for, those that end before the line breaks; return what each led to."""
        assert self.fetch is not None
        offset, length = self.fetch.first_byte, self.fetch.first_chunk_bytes
        end = len(file) if stop_at is None else stop_at
        traces: "list[str]" = []
        while offset < end and self.journal.state == DOWNLOADING and self.fetch is not None:
            data = file[offset : offset + length]
            if offset + len(data) > end:
                break
            traces.append(self.on(on.ChunkArrived(offset_bytes=offset, data=data)))
            offset, length = offset + len(data), CHUNK_BYTES
        return traces

    def _carry_out(self, step: "Step") -> str:
        self._state = step.state
        for effect in step.effects:
            self._note(effect)
        return " ".join(type(effect).__name__ for effect in step.effects)

    def _note(self, effect: do.Effect) -> None:
        allowed = RECORDED_BEFORE.get(type(effect))
        if allowed is not None:
            assert self.saved is not None and self.saved.state in allowed, (effect, self.saved)
        if isinstance(effect, do.SaveJournal):
            loaded = load_journal((encode_journal(effect.journal, 1), b""))
            assert loaded.journal == effect.journal
            self.saved = effect.journal
        elif isinstance(effect, do.Exchange):
            self.reports.append(effect.report)
        elif isinstance(effect, do.Fetch):
            self.fetch = effect
        elif isinstance(effect, do.StopFetch):
            self.fetch = None
        elif isinstance(effect, (do.ScheduleCheck, do.ScheduleRetry)):
            self.delay_s = effect.delay_s
        elif isinstance(effect, do.EraseBlock):
            self.spare[effect.offset_bytes : effect.offset_bytes + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        elif isinstance(effect, do.WriteChunk):
            self._write(effect.offset_bytes, effect.data)

    def _write(self, offset_bytes: int, data: bytes) -> None:
        end = offset_bytes + len(data)
        assert self.saved is not None and self.saved.received_bytes <= offset_bytes, "it overwrites what it recorded"
        assert bytes(self.spare[offset_bytes:end]) == b"\xff" * len(data), "it writes where nothing was erased"
        self.spare[offset_bytes:end] = data


def offered(offer: Offer = OFFER, slots: Slots = RUNS_OLD) -> Robot:
    """Return a robot that has just taken this offer, one that takes bare offers if it is one."""
    robot = Robot(slots, IDENTITY.replace(needs_manifest=offer.manifest is not None))
    robot.boots()
    robot.on(answer(offer))
    return robot


def verifying(offer: Offer = OFFER, file: bytes = NEW_FILE, slots: Slots = RUNS_OLD) -> Robot:
    """Return a robot that has just received this file."""
    robot = offered(offer, slots)
    robot.on(on.PreflightPassed())
    robot.receive(file)
    return robot


def judging(offer: Offer = OFFER, file: bytes = NEW_FILE, slots: Slots = RUNS_OLD) -> Robot:
    """Return a robot that waits for the digest of its spare slot."""
    robot = verifying(offer, file, slots)
    robot.on(on.PreflightPassed())
    return robot


def believed(offer: Offer = OFFER, file: bytes = NEW_FILE, slots: Slots = RUNS_OLD) -> Robot:
    """Return a robot that has just judged its new image, and asks whether it may restart."""
    robot = judging(offer, file, slots)
    robot.on(digested(file))
    return robot


def staged(offer: Offer = OFFER, file: bytes = NEW_FILE, slots: Slots = RUNS_OLD) -> Robot:
    """Return a robot that has just told the server that it will reboot."""
    robot = believed(offer, file, slots)
    robot.on(on.PreflightPassed())
    return robot


def on_trial(offer: Offer = OFFER) -> Robot:
    """Return a robot that has just booted the new image."""
    robot = staged(offer)
    robot.on(answer())
    robot.boots(runs_new())
    return robot


def confirming(offer: Offer = OFFER) -> Robot:
    """Return a robot whose self-test has just passed."""
    robot = on_trial(offer)
    robot.on(answer())
    robot.on(on.SelfTestPassed())
    return robot


def installed(offer: Offer = OFFER) -> Robot:
    """Return a robot that has just confirmed the new image."""
    robot = confirming(offer)
    robot.on(on.Confirmed(slots=runs_new(CONFIRMED)))
    return robot


def staged_minimal(offer: Offer) -> Robot:
    """Return a robot that has staged an image whose own descriptor names its version."""
    robot = judging(offer)
    robot.on(digested(NEW_FILE, version="v0.3.0"))
    robot.on(on.PreflightPassed())
    return robot
