"""Carries out the agent's effects on a robot, one event at a time.

The same file runs on CPython and on MicroPython. It decides nothing: what a failure means is the agent's to say.
"""

from surefoot.agent import effects as do
from surefoot.agent import events as on
from surefoot.agent.preflight import held_by
from surefoot.agent.resume import boot
from surefoot.agent.steps import is_ended
from surefoot.agent.table import advance
from surefoot.shell.fetching import Fetching
from surefoot.shell.spare_digest import digest_spare
from surefoot.wire.delta import FORMAT
from surefoot.wire.errors import Damaged, Interrupted, Refused
from surefoot.wire.journal import encode_journal, load_journal
from surefoot.wire.offer import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from surefoot.agent.steps import Step
    from surefoot.agent.values import AgentState, Identity
    from surefoot.shell.ports import Host, Inflate, JournalStorage, SlotDriver, Transport, Witness


class Runner:
    """One robot's agent at work.

    `start` and `check` run until the agent rests or the robot must restart; they return the seconds until the next
    check, or None when a restart is due. Without `inflate` the robot takes no deltas; without `witness` it does not
    know the time, and offers need nothing but the robot's own keys; without `is_cancelled`, which tells whether the
    server has cancelled an assignment since its last answer, the robot hears of that in the next answer.
    """

    def __init__(
        self,
        identity: "Identity",
        slots: "SlotDriver",
        storage: "JournalStorage",
        transport: "Transport",
        host: "Host",
        inflate: "Inflate | None" = None,
        witness: "Witness | None" = None,
        is_cancelled: "Callable[[str], bool] | None" = None,
    ) -> None:
        self.identity = identity
        self.slots = slots
        self.storage = storage
        self.transport = transport
        self.host = host
        self.inflate = inflate
        self.witness = witness
        self.is_cancelled = is_cancelled
        self.state: "AgentState | None" = None
        self._fetching = Fetching(transport, slots.read_running, inflate, host.log)
        self._counter = 0
        self._next_copy = 0
        self._before: "AgentState | None" = None

    def start(self, fresh_epoch: str) -> "int | None":
        """Begin after a boot; `fresh_epoch` is a random word, used when nothing is remembered."""
        loaded = load_journal(self.storage.read_copies())
        self._counter = loaded.counter
        self._next_copy = loaded.next_copy
        if loaded.damaged:
            self.host.log("damaged-journal: both copies of the journal were unreadable; starting a new one.")
        event = on.Booted(
            slots=self.slots.look(),
            journal=loaded.journal,
            damaged=loaded.damaged,
            fresh_epoch=fresh_epoch,
            accepts=(FORMAT,) if self.inflate is not None and self.slots.read_running(0, 1) else (),
        )
        return self._run(boot(self.identity, event))

    def check(self) -> "int | None":
        """Ask the server now: the schedule, a push and a person all end here."""
        return self._run(advance(self._known(), on.CheckDue()))

    def _run(self, step: "Step") -> "int | None":
        try:
            return self._carry_out(step)
        finally:
            self._fetching.close()

    def _carry_out(self, step: "Step") -> "int | None":
        while True:
            self._before, self.state = self.state, step.state
            self._tell(self._before, step.state)
            event = None
            for effect in step.effects:
                if isinstance(effect, do.Reboot):
                    return None
                if isinstance(effect, do.ScheduleCheck):
                    return effect.delay_s
                event = self._perform(effect)
                if event is not None:
                    # What comes behind was meant for when this would succeed.
                    break
            if event is None:
                # Nothing else can be awaited when no effect ended in an event.
                event = self._cancelled() or self._fetching.next_chunk()
            step = advance(self._known(), event)

    def _perform(self, effect: "do.Effect") -> "on.Event | None":
        """Carry out one effect; return the event it ends in, None for one that ends in none."""
        if isinstance(effect, (do.WriteChunk, do.EraseBlock, do.PrepareSpare)):
            return self._fill(effect)
        if isinstance(effect, do.SaveJournal):
            self._save(effect)
        elif isinstance(effect, do.Exchange):
            return self._exchange(effect)
        elif isinstance(effect, do.Preflight):
            return self._held() or on.PreflightPassed()
        elif isinstance(effect, do.Fetch):
            return self._fetching.open(effect)
        elif isinstance(effect, do.StopFetch):
            self._fetching.close()
        elif isinstance(effect, do.DigestSpare):
            return digest_spare(self.slots, effect)
        elif isinstance(effect, do.SetBootSlot):
            # The answer to the last report took its time.
            return self._cancelled() or self._held() or self._set_boot_slot()
        elif isinstance(effect, do.RunSelfTest):
            return self._self_test(effect)
        elif isinstance(effect, do.Confirm):
            self.slots.confirm()
            return on.Confirmed(slots=self.slots.look())
        elif isinstance(effect, do.GoBack):
            self._go_back()
        elif isinstance(effect, do.ScheduleRetry):
            self.host.pause(effect.delay_s)
            return self._cancelled() or on.RetryDue()
        return None

    def _fill(self, effect: "do.Effect") -> "on.Event | None":
        """Change the spare slot; where that fails, the download broke off, and what it just led to did not happen."""
        try:
            if isinstance(effect, do.WriteChunk):
                self.slots.write(effect.offset_bytes, effect.data)
            elif isinstance(effect, do.EraseBlock):
                self.slots.erase_block(effect.offset_bytes)
            else:
                self.slots.prepare_spare()
        except Interrupted as error:
            self.state = self._before
            return self._fetching.broken(error)
        return None

    def _save(self, effect: "do.SaveJournal") -> None:
        self.storage.write_copy(self._next_copy, encode_journal(effect.journal, self._counter + 1))
        self._counter += 1
        self._next_copy = 1 - self._next_copy

    def _held(self) -> "on.Event | None":
        code = held_by(self.host.conditions())
        return None if code is None else on.PreflightHeld(code=code)

    def _exchange(self, effect: "do.Exchange") -> "on.Event":
        try:
            answer = self.transport.exchange(effect.report)
        except (Interrupted, Refused) as error:
            self.host.log(f"{error.code}: {error.message}")
            return self._cancelled() or on.Unreachable(code=error.code)
        if self.witness is None:
            return on.Answered(answer=answer, refusal=None, now_s=None)
        refusal = None
        try:
            if answer.offer is not None:
                refusal = self.witness.refusal_of(answer.offer)
        except Interrupted as error:
            # The rest of the answer holds all the same; the offer comes again with the next one.
            self.host.log(f"{error.code}: {error.message}")
            answer = answer.replace(offer=None)
        return on.Answered(answer=answer, refusal=refusal, now_s=self.witness.now_s())

    def _cancelled(self) -> "on.Event | None":
        """Return the server's word that takes the work in hand back, None while there is no such word or no work."""
        journal, is_cancelled = self._known().journal, self.is_cancelled
        if is_cancelled is None or journal.offer is None or is_ended(journal) or not is_cancelled(journal.offer.id):
            return None
        word = Answer(acknowledged=None, offer=None, cancelled=journal.offer.id, stale=False, next_check_s=None)
        return on.Answered(answer=word, refusal=None, now_s=None)

    def _self_test(self, effect: "do.RunSelfTest") -> "on.Event":
        for check in effect.checks:
            if not self.host.passes(check.name, check.timeout_s):
                return on.SelfTestFailed(code=check.code)
        return on.SelfTestPassed()

    def _go_back(self) -> None:
        try:
            self.slots.go_back()
        except Damaged as error:
            # The restart that follows ends the trial all the same, and the bootloader finds what there is to boot.
            self.host.log(f"{error.code}: {error.message}")

    def _set_boot_slot(self) -> "on.Event | None":
        try:
            self.slots.set_boot_slot()
        except (Refused, Damaged) as error:
            self.host.log(f"{error.code}: {error.message}")
            return on.BootSlotRefused(code=error.code)
        return None

    def _known(self) -> "AgentState":
        if self.state is None:
            raise AssertionError("start() comes before anything else")
        return self.state

    def _tell(self, before: "AgentState | None", after: "AgentState") -> None:
        journal = after.journal
        if before is not None and before.journal.state == journal.state and before.hold == after.hold:
            return
        offer = "" if journal.offer is None else f" {journal.offer.version} ({journal.offer.id})"
        why = journal.code or after.hold or after.boot_code
        self.host.log(journal.state + offer + (f": {why}" if why else ""))
