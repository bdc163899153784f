"""From the staged image to the end of its trial: the steps that cannot be taken back, each recorded before it."""

from surefoot.agent.download import hold
from surefoot.agent.effects import Check, Confirm, GoBack, Reboot, RunSelfTest, SetBootSlot
from surefoot.agent.offers import cancel, is_cancelled
from surefoot.agent.steps import Step, save, save_and_tell, stay, wanted_digest
from surefoot.agent.values import AgentState
from surefoot.wire import report as wire_report
from surefoot.wire.errors import Refused
from surefoot.wire.manifest import parse_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.events import (
        Answered,
        BootSlotRefused,
        Confirmed,
        PreflightHeld,
        SelfTestFailed,
        SelfTestPassed,
        Unreachable,
    )
    from surefoot.wire.journal import Journal

# The validation window: 30 s in all.
CHECKS = (
    Check(name="safety", timeout_s=10, code="trial-failed-safety"),
    Check(name="relay", timeout_s=5, code="trial-failed-relay"),
    Check(name="sensors", timeout_s=15, code="trial-failed-sensors"),
)


def switch(state: AgentState, event: "Answered | Unreachable") -> Step:
    """Let the bootloader try the image: the attempt is burnt and recorded already."""
    return stay(state, SetBootSlot(), Reboot())


def switch_unless_cancelled(state: AgentState, event: "Answered") -> Step:
    """Heed the server's last word before the restart."""
    return cancel(state) if is_cancelled(state, event.answer) else switch(state, event)


def unstage(state: AgentState, event: "PreflightHeld") -> Step:
    """Give the attempt back and wait: the robot began to work while it told the server that it would restart."""
    held, journal = hold(state, event), state.journal
    waiting = journal.replace(state=wire_report.VERIFYING, attempts=journal.attempts - 1)
    return save(held.state, waiting, *held.effects)


def cannot_switch(state: AgentState, event: "BootSlotRefused") -> Step:
    """End: the boot record cannot be set, and the running image was never left."""
    return save_and_tell(
        state, state.journal.replace(state=wire_report.ROLLED_BACK, code="stage-failed", acknowledged=False)
    )


def test(state: AgentState, event: "Answered | Unreachable") -> Step:
    """Run the validation window; whether the server can be reached does not decide it."""
    return stay(state, RunSelfTest(checks=CHECKS))


def confirm(state: AgentState, event: "SelfTestPassed") -> Step:
    """Record that the self-test passed, then confirm."""
    return save(state, state.journal.replace(state=wire_report.CONFIRMING, code=None), Confirm())


def confirm_again(state: AgentState, event: "Answered | Unreachable") -> Step:
    """Confirm without testing again: the self-test had passed."""
    return stay(state, Confirm())


def go_back(state: AgentState, event: "SelfTestFailed") -> Step:
    """Record why, then return to the previous image."""
    return save(state, state.journal.replace(code=event.code), GoBack(), Reboot())


def conclude(state: AgentState, event: "Confirmed") -> Step:
    """Believe the boot record, not the intention: only what reads back as confirmed is installed."""
    running, journal = event.slots.running, state.journal
    state = state.replace(slots=event.slots)
    if running.digest not in (None, wanted_digest(journal)):
        # A controller that a companion updates may have gone back by itself in the meantime.
        back = journal.replace(state=wire_report.ROLLED_BACK, code="confirm-interrupted", acknowledged=False)
        return save_and_tell(state, back)
    if running.state != wire_report.CONFIRMED:
        failed = journal.replace(state=wire_report.TRIAL, code="confirm-failed")
        return save(state, failed, GoBack(), Reboot())
    return save_and_tell(state, installed(journal))


def installed(journal: "Journal") -> "Journal":
    """Return the journal of an installed image.

    Only now may its version floor rise and its keys take the place of others, or there were no way back.
    The manifest was believed before the image was staged, by the keys of that time; the new firmware may trust others.
    """
    floor, keys, offer = journal.version_floor, journal.trusted_keys, journal.offer
    if offer is not None and offer.manifest is not None:
        try:
            manifest = parse_manifest(offer.manifest.payload)
        except Refused:
            # The previous firmware could read it. A floor that does not rise is better than an agent that does not.
            manifest = None
        if manifest is not None:
            keys = manifest.trusted_keys or keys
            if manifest.version_floor is not None and manifest.version_floor > floor:
                floor = manifest.version_floor
    return journal.replace(
        state=wire_report.INSTALLED, code=None, acknowledged=False, version_floor=floor, trusted_keys=keys
    )
