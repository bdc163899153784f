"""What the agent knows: its identity, the slots as the bootloader has them, and its own state."""

from surefoot.trust.keys import KeyRing
from surefoot.wire.errors import Misuse
from surefoot.wire.journal import Journal
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.record import Record
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.trust.keys import Verify


class Identity(Record):
    """Who the robot is; built into the firmware or the companion's configuration, never taken from the network.

    `version_floor` is the floor it left the factory with, `chip_id` the chip images must be made for (None: not an
    ESP32), `attempts_max` the trial boots it spends on one offer by itself. `needs_manifest` is False only
    for robots that are told by minimal commands: nothing signed then says which sku an image is for.
    """

    __slots__ = (
        "robot_id",
        "sku",
        "ring",
        "verify",
        "version_floor",
        "protocol",
        "companion_version",
        "chip_id",
        "attempts_max",
        "needs_manifest",
    )
    robot_id: str
    sku: str
    ring: KeyRing
    verify: "Verify"
    version_floor: Version
    protocol: "int | None"
    companion_version: "str | None"
    chip_id: "int | None"
    attempts_max: int
    needs_manifest: bool


class SlotImage(Record):
    """One slot: its label, its image's digest and version, and the state the bootloader holds it in (`wire.report`).

    `digest` is None when there is no image or it cannot be told; `version` is the text inside the signed bytes, "" when
    there is none.
    """

    __slots__ = ("slot", "digest", "version", "state")
    slot: str
    digest: "str | None"
    version: str
    state: str


class Slots(Record):
    """Both slots as they are now; `spare_bytes` is what fits, `block_bytes` what one erase clears.

    `enforces_trial` tells that the bootloader itself takes back an image nobody confirmed; where it does not, the agent
    has to.
    """

    __slots__ = ("running", "spare", "spare_bytes", "block_bytes", "enforces_trial")
    running: SlotImage
    spare: SlotImage
    spare_bytes: int
    block_bytes: int
    enforces_trial: bool

    def check(self) -> None:
        # A piece that reached beyond its block would be written where nothing was erased.
        if self.block_bytes < CHUNK_BYTES or self.block_bytes % CHUNK_BYTES:
            raise Misuse("misuse-record", f"A block of {self.block_bytes} bytes is no multiple of {CHUNK_BYTES}.")


class AgentState(Record):
    """The agent between two events.

    `seq` counts reports within this boot; `retries` exchanges or downloads that failed in a row; `hold` is the code
    under which an update waits; `judged` tells that the image in the spare slot was believed since the boot;
    `boot_code` is what this boot found wrong with the journal; `fresh_epoch` is this boot's random word, for when the
    counters turn out to have gone back; `accepts` names the formats of deltas that the robot can apply.
    """

    __slots__ = (
        "identity",
        "journal",
        "slots",
        "seq",
        "retries",
        "hold",
        "judged",
        "boot_code",
        "fresh_epoch",
        "accepts",
    )
    identity: Identity
    journal: Journal
    slots: Slots
    seq: int
    retries: int
    hold: "str | None"
    judged: bool
    boot_code: "str | None"
    fresh_epoch: str
    accepts: "tuple[str, ...]"
