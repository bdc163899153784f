"""A companion that updates itself through RAUC: an image is a bundle, and RAUC writes it into the other slot group.

What runs is asked of RAUC, never remembered: its status names the booted slot, and the checksum and version of what it
last wrote there. Which bundle that was is a fact about the bundle, noted when the bundle is inspected. A slot that RAUC
never wrote, or whose bundle was never seen here, has no digest: could not tell.

RAUC has no word for a trial: whether a slot is on trial, and whether it was handed over whole, is noted here before and
after `rauc install`. The bootloader behind RAUC must count boots and leave a slot that nobody marks good.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surefoot.agent.values import SlotImage, Slots
from surefoot.shell.files import remove_file, replace_file
from surefoot.shell.ports import JournalStorage
from surefoot.shell.slot_file import BLOCK_BYTES
from surefoot.shell.staging import StagedSlots
from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused
from surefoot.wire.limits import IMAGE_BYTES_MAX
from surefoot.wire.report import CONFIRMED, ROLLED_BACK, TRIAL, UNKNOWN

ASK_TIMEOUT_S = 60
INSTALL_TIMEOUT_S = 1800
BUNDLES_MAX = 16


class RaucSlots(StagedSlots):
    """The booted slot and the other one. Fills `shell.ports.SlotDriver`.

    Args:
        directory: Where the staged bundle and the notes about it live: outside the slots.
        storage: The agent's journal.
        command: How RAUC is called.
    """

    def __init__(self, directory: Path, storage: JournalStorage, *, command: Sequence[str] = ("rauc",)) -> None:
        super().__init__(directory / "staged.raucb", storage)
        self._bundles_path = directory / "bundles.json"
        self._trial_path = directory / "trial.json"
        self._command = tuple(command)
        self._is_counted = False

    def look(self) -> Slots:
        """Ask RAUC what both slots hold; the first time, make sure that a booted slot that is not on trial stays.

        Bootloaders count every boot, of a confirmed slot too: nobody else would ever give it its boots back. And where
        the other slot was to boot next, the agent was ended before it could restart the machine: what is still wanted
        is staged again, and what was cancelled meanwhile must not start with whatever restarts the machine next.

        Raises:
            Interrupted: `interrupted-rauc`; nothing may be decided before RAUC answers.
        """
        status = self._status()
        booted, spare = _pair(status)
        trial = _note(self._trial_path)
        state = TRIAL if trial.get("slot") == booted["name"] else CONFIRMED
        if state == CONFIRMED and not self._is_counted:
            self._is_counted = self._run("status", "mark-good", "booted").returncode == 0
            if trial.get("slot") == spare["name"] == status["boot_primary"]:
                trial = self._begin_trial(spare["name"])
                self._stay(booted["name"])
        return Slots(
            running=self._image(booted, state),
            spare=self._image(spare, _spare_state(spare, status, trial)),
            spare_bytes=IMAGE_BYTES_MAX,
            block_bytes=BLOCK_BYTES,
            enforces_trial=True,
        )

    def prepare_spare(self) -> None:
        """Forget the staged bundle and the last trial."""
        if self.look().running.state == TRIAL:
            raise Misuse("misuse-on-trial", "The running image is on trial: confirm it before beginning an update.")
        self._staging.clear()
        self._forget_trial()

    def inspect(self, size_bytes: int) -> tuple[str, int | None]:
        """Have RAUC verify the staged bundle's signature, note what it will write, and return the bundle's version.

        Raises:
            Refused: `refused-image-format`.
        """
        ended = self._run("info", "--output-format=json", str(self._staging.path))
        if ended.returncode != 0 or self._staging.size_bytes() != size_bytes:
            raise Refused("refused-image-format", f"RAUC takes this for no bundle of its own: {_last_line(ended)}")
        info = json.loads(ended.stdout)
        version = str(info["version"] or "")
        bundles, digest = _note(self._bundles_path), self._staging.digest()
        # What stands in the slots is remembered longest, however many bundles come that are never installed.
        for slot in _pair(self._status()):
            if _key_of(slot) in bundles:
                bundles[_key_of(slot)] = bundles.pop(_key_of(slot))
        for image in info["images"]:
            for described in image.values():
                key = f"{described['checksum']} {version}"
                # Two bundles that put the same bytes and version into a slot cannot be told apart in it.
                bundles[key] = digest if bundles.pop(key, digest) == digest else None
        self._put(self._bundles_path, dict(list(bundles.items())[-BUNDLES_MAX:]))
        return version, None

    def set_boot_slot(self) -> None:
        """Have RAUC install the staged bundle; for a rollback order, activate the other slot as it is.

        Raises:
            Refused: `refused-by-rauc`, the running slot stays; `stage-failed`, the staged file is not the judged one.
        """
        booted, spare = _pair(self._status())
        self._begin_trial(spare["name"])
        if self._staging.header():
            self._staging.check()
            ended = self._run("install", str(self._staging.path), timeout_s=INSTALL_TIMEOUT_S)
        else:
            ended = self._run("status", "mark-active", spare["name"])
        is_next = self._status()["boot_primary"] == spare["name"]
        if ended.returncode != 0 or not is_next:
            if is_next:
                self._stay(booted["name"])
            raise Refused("refused-by-rauc", f"RAUC did not make {spare['name']} the next to boot: {_last_line(ended)}")
        self._put(self._trial_path, {"slot": spare["name"], "handed_over": True})

    def confirm(self) -> None:
        """Mark the booted slot good. If RAUC does not, it is still on trial, and `look` says so."""
        if self._run("status", "mark-good", "booted").returncode == 0:
            self._forget_trial()

    def go_back(self) -> None:
        """Mark the booted slot bad: the bootloader takes the other one.

        Raises:
            Damaged: `damaged-no-rollback-image` when RAUC holds the other slot for bad too.
            Interrupted: `interrupted-rauc`.
        """
        _, spare = _pair(self._status())
        if spare["boot_status"] != "good":
            raise Damaged("damaged-no-rollback-image", f"RAUC holds {spare['name']} for bad too: keep this image.")
        ended = self._run("status", "mark-bad", "booted")
        if ended.returncode != 0:
            raise Interrupted("interrupted-rauc", f"RAUC did not mark the booted slot bad: {_last_line(ended)}")

    def _begin_trial(self, slot: str) -> dict[str, Any]:
        """Note that this slot is on trial from its next boot on, and is not handed over whole yet."""
        trial = {"slot": slot, "handed_over": False}
        self._put(self._trial_path, trial)
        return trial

    def _stay(self, booted: str) -> None:
        """Let the booted slot be the next to boot again; `Interrupted` (`interrupted-rauc`) if RAUC does not do it."""
        ended = self._run("status", "mark-active", booted)
        if ended.returncode != 0:
            raise Interrupted("interrupted-rauc", f"RAUC did not take {booted} back: {_last_line(ended)}")

    def _status(self) -> dict[str, Any]:
        ended = self._run("status", "--detailed", "--output-format=json")
        try:
            status: dict[str, Any] = json.loads(ended.stdout)
        except ValueError as error:
            detail = f"RAUC does not say what runs ({_last_line(ended)}): look at its service."
            raise Interrupted("interrupted-rauc", detail) from error
        return status

    def _run(self, *arguments: str, timeout_s: int = ASK_TIMEOUT_S) -> "subprocess.CompletedProcess[str]":
        command = [*self._command, *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)  # noqa: S603 - no shell
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Interrupted("interrupted-rauc", f"RAUC does not answer ({error}): look at its service.") from error

    def _image(self, slot: dict[str, Any], state: str) -> SlotImage:
        written = slot.get("slot_status") or {}
        version = str((written.get("bundle") or {}).get("version") or "")
        digest = None
        if written.get("status") == "ok":
            digest = _note(self._bundles_path).get(_key_of(slot))
        return SlotImage(slot=slot["name"], digest=digest, version=version, state=state)

    def _forget_trial(self) -> None:
        remove_file(self._trial_path)

    def _put(self, path: Path, note: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(note).encode())


def _note(path: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Damaged("damaged-boot-record", f"{path} cannot be read: remove it.") from error
    return note


def _pair(status: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the booted slot and the other bootable one of its class.

    Raises:
        Interrupted: `interrupted-rauc` when RAUC does not know which slot is booted.
    """
    slots = [{**slot, "name": name} for entry in status["slots"] for name, slot in entry.items()]
    for booted in slots:
        others = [slot for slot in slots if slot["class"] == booted["class"] and slot["name"] != booted["name"]]
        if booted["state"] == "booted" and others:
            return booted, others[0]
    raise Interrupted("interrupted-rauc", "RAUC does not know which slot is booted: look at its configuration.")


def _key_of(slot: dict[str, Any]) -> str:
    """Return the name under which the bundle is noted that RAUC wrote into a slot."""
    written = slot.get("slot_status") or {}
    version = (written.get("bundle") or {}).get("version") or ""
    return f"{(written.get('checksum') or {}).get('sha256')} {version}"


def _spare_state(spare: dict[str, Any], status: dict[str, Any], trial: dict[str, Any]) -> str:
    if trial.get("slot") != spare["name"]:
        written = (spare.get("slot_status") or {}).get("status") == "ok"
        return CONFIRMED if written and spare["boot_status"] == "good" else UNKNOWN
    # Handed over whole, not what runs, and not what would boot next: the bootloader has given it up.
    lost = trial["handed_over"] and (spare["boot_status"] == "bad" or status["boot_primary"] != spare["name"])
    return ROLLED_BACK if lost else UNKNOWN


def _last_line(ended: "subprocess.CompletedProcess[str]") -> str:
    lines = (ended.stderr.strip() or ended.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit code {ended.returncode}"
