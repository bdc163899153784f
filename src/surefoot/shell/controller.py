"""A companion that updates a controller over its HTTP endpoints; the controller has slots and a bootloader of its own.

Its endpoints (`controller_http`) take an image and say what runs. That is all there is, and so all that this driver
promises:

- What runs is what the controller says: its digest, or else the one image of that version that the journal knows.
- The spare slot is a file here. Nothing is known of the controller's other slot: its state is `unknown`.
- There is no endpoint to confirm or to go back. The controller tests itself and its own bootloader decides; confirming
  and going back wait for that decision, and the next look reports it whatever the companion had wished.
- A controller that does not answer decides nothing: `look` raises, and the companion tries again.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from surefoot.agent.values import SlotImage, Slots
from surefoot.shell.controller_http import BUSY, CODE, ERROR, Controller, ControllerStatus
from surefoot.shell.files import remove_file, replace_file
from surefoot.shell.ports import JournalStorage
from surefoot.shell.slot_file import BLOCK_BYTES
from surefoot.shell.staging import StagedSlots
from surefoot.wire import esp_image
from surefoot.wire.errors import Interrupted, Misuse, Refused
from surefoot.wire.fields import NAME_CHARS
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.limits import CHUNK_BYTES, IMAGE_BYTES_MAX
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TRIAL, UNKNOWN

POLL_S = 2
# Twice as long as a controller's validation window.
POLLS_MAX = 30


class ControllerSlots(StagedSlots):
    """What the controller runs, and a file that waits for it. Fills `shell.ports.SlotDriver`.

    A restart that the agent asks for is one of the agent: start it anew, and `look` waits for the controller.

    Args:
        directory: Where the download waits.
        controller: The endpoints.
        storage: The agent's journal, which knows versions of images and the signed header of the staged one.
        pause: Waits so many seconds.
    """

    def __init__(
        self, directory: Path, controller: Controller, storage: JournalStorage, pause: Callable[[int], None]
    ) -> None:
        super().__init__(directory / "staged.bin", storage)
        self._uploaded_path = directory / "uploaded"
        self._controller = controller
        self._pause = pause
        self._seen: SlotImage | None = None

    def look(self) -> Slots:
        """Ask the controller what it runs, once it has come to rest or to its trial.

        Raises:
            Interrupted: `interrupted-controller`; nothing may be decided before it answers.
        """
        said = self._wait_while((BUSY,))
        state = TRIAL if said.meaning == TRIAL else CONFIRMED
        self._seen = SlotImage(slot=_label(said), digest=self._digest(said), version=said.version, state=state)
        return Slots(
            running=self._seen,
            spare=self._spare(said),
            spare_bytes=IMAGE_BYTES_MAX,
            block_bytes=BLOCK_BYTES,
            enforces_trial=True,
        )

    def prepare_spare(self) -> None:
        """Forget the staged file, and that one was uploaded."""
        if self._seen is not None and self._seen.state == TRIAL:
            raise Misuse("misuse-on-trial", "The running image is on trial: confirm it before beginning an update.")
        remove_file(self._uploaded_path)
        self._staging.clear()

    def inspect(self, size_bytes: int) -> tuple[str, int | None]:
        """Return version and chip id of a staged ESP-IDF image, verified as a bootloader would, else nothing.

        Raises:
            Refused: `refused-image-format`.
        """
        if not esp_image.has_magic(self.read(0, CHUNK_BYTES)):
            return "", None
        image = esp_image.verify_whole(self.read, size_bytes)
        return image.version, image.chip_id

    def set_boot_slot(self) -> None:
        """Upload the staged file; the controller verifies it and restarts by itself.

        When the way breaks, nobody here knows whether it arrived: what runs after the restart tells.

        Raises:
            Refused: `refused-by-controller`; `stage-failed`, the staged file is not the judged one.
        """
        header = self._staging.check()
        try:
            self._controller.upload(self._pieces(header.size_bytes), HEADER_BYTES + header.size_bytes)
            replace_file(self._uploaded_path, b"")
            said = self._wait_while((BUSY,))
        except Interrupted:
            return
        if said.meaning == ERROR:
            raise Refused("refused-by-controller", f"The controller did not take the image ({said.error}).")

    def confirm(self) -> None:
        """Wait for the controller's own decision; there is no endpoint to make it.

        Raises:
            Interrupted: `interrupted-controller` when it does not answer, or runs another image meanwhile.
        """
        before, said = self._seen, self._wait_while((BUSY, TRIAL))
        if before is not None and before.slot != _label(said):
            raise Interrupted(CODE, f"The controller went to {said.version} by itself: start the agent anew.")

    def go_back(self) -> None:
        """Wait for the controller's own decision; there is no endpoint to make it.

        Raises:
            Interrupted: `interrupted-controller` when it does not answer or does not decide.
        """
        self._wait_while((BUSY, TRIAL))

    def _wait_while(self, meanings: tuple[str, ...]) -> ControllerStatus:
        """Return the first status of another meaning."""
        problem = Interrupted(CODE, "The controller does not come to a decision: look at it.")
        for _ in range(POLLS_MAX):
            try:
                said = self._controller.status()
            except Interrupted as error:
                problem = error
            else:
                if said.meaning not in meanings:
                    return said
            self._pause(POLL_S)
        raise problem

    def _digest(self, said: ControllerStatus) -> str | None:
        """Return the digest of what runs: said, or of the only image known by that version."""
        journal = self._staging.journal()
        if said.digest is not None or journal is None:
            return said.digest
        digests = [label.digest for label in journal.labels if label.version == said.version]
        return digests[0] if len(digests) == 1 else None

    def _spare(self, said: ControllerStatus) -> SlotImage:
        digest = self._staging.digest() if self._uploaded_path.exists() else None
        state = EMPTY if not self._staging.path.exists() else UNKNOWN
        if said.meaning == ROLLED_BACK and digest is not None:
            # Without an upload, the controller speaks of an earlier one.
            state = ROLLED_BACK
        return SlotImage(slot="staged", digest=digest, version="", state=state)

    def _pieces(self, size_bytes: int) -> Iterator[bytes]:
        yield self._staging.header()
        for offset in range(0, size_bytes, CHUNK_BYTES):
            yield self.read(offset, CHUNK_BYTES)


def _label(said: ControllerStatus) -> str:
    """Return the controller's slot; without one, a name that changes with what runs, so that a change is seen."""
    if said.slot is not None:
        return said.slot
    name = said.version if said.digest is None else said.digest[:16]
    return "runs-" + "".join(char if char in NAME_CHARS else "_" for char in name)[:32]
