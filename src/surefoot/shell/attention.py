"""What a robot hears between its own questions, and when it asks because of it.

A command is a nudge or a cancel, never more: a robot acts on what its server answers, with a signed manifest. The
same file runs on CPython and on MicroPython; time is in milliseconds, which a chip counts without fractions.
"""

from surefoot.wire.command import parse_command
from surefoot.wire.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from surefoot.shell.ports import Hear
    from surefoot.wire.command import Command
    from surefoot.wire.offer import Answer
    from surefoot.wire.report import Report

# What can be heard besides the payloads of commands.
ASKED = "asked"
RECONNECTED = "reconnected"

# A fleet that is told at once must not ask at once.
JITTER_MS_MAX = 2000
# Between two checks because of the same command, however often it is said.
NUDGE_PAUSE_MS = 10_000
CANCELS_KEPT = 4
# Nobody who floods a robot with commands keeps it from its download.
HEARD_AT_ONCE = 32


class Attention:
    """The ear of one robot, and what it remembers of what it heard.

    Args:
        hear: Waits so many milliseconds at most for the next thing to hear.
        clock_ms: Milliseconds from any beginning that never go back.
        jitter_ms: Returns a random whole number from 0 to this one.
        log: Tells a person.
    """

    def __init__(
        self,
        hear: "Hear",
        clock_ms: "Callable[[], int]",
        jitter_ms: "Callable[[int], int]",
        log: "Callable[[str], None]",
    ) -> None:
        self._hear_next = hear
        self._clock_ms = clock_ms
        self._jitter_ms = jitter_ms
        self._log = log
        self._wake_ms: "int | None" = None
        self._nudged_ms: "int | None" = None
        self._last_heard: "int | None" = None
        self.cancels: "tuple[str, ...]" = ()
        self.malformed = 0

    def rest(self, delay_ms: int) -> None:
        """Wait so long, or until something that was heard is a reason to ask earlier."""
        due_ms = self._clock_ms() + delay_ms
        while True:
            wake_ms = self._wake_ms
            left_ms = (due_ms if wake_ms is None else min(due_ms, wake_ms)) - self._clock_ms()
            if left_ms <= 0:
                break
            self._hear(left_ms)
        if self._wake_ms is not None:
            self._wake_ms, self._nudged_ms = None, self._clock_ms()

    def pause(self, delay_ms: int) -> None:
        """Wait so long amid an update, or until an assignment is cancelled."""
        due_ms, before = self._clock_ms() + delay_ms, self.cancels
        while self.cancels == before and due_ms > self._clock_ms():
            self._hear(due_ms - self._clock_ms())

    def is_cancelled(self, assignment_id: str) -> bool:
        """Whether the server has cancelled this assignment since its last answer; never waits."""
        for _ in range(HEARD_AT_ONCE):
            if self._hear(0) is None:
                break
        return assignment_id in self.cancels

    def forget(self, cancels: "tuple[str, ...]") -> None:
        """Forget these cancels: the server has answered since, and its answer is the newer word."""
        self.cancels = tuple([cancel for cancel in self.cancels if cancel not in cancels])

    def answer_to(self, report: "Report", timeout_ms: int) -> "Answer | None":
        """Wait for the answer to this report, None when it does not come in time; raise what refused the report."""
        due_ms = self._clock_ms() + timeout_ms
        while True:
            left_ms = due_ms - self._clock_ms()
            if left_ms <= 0:
                return None
            command = self._hear(left_ms)
            if isinstance(command, str) or command is None:
                continue
            if not command.answers(report):
                continue
            if command.refused is not None:
                raise Refused(command.refused, command.detail or "The server refused the report.")
            return command.answer

    def _hear(self, timeout_ms: int) -> "Command | str | None":
        """Wait for the next thing to hear, remember what it asks for, and return it; None in silence."""
        heard = self._hear_next(timeout_ms)
        if heard is None:
            return None
        if heard == ASKED:
            self._wake_ms = self._clock_ms()
            return ASKED
        if isinstance(heard, str):
            self._wake(heard, self._jitter_ms(JITTER_MS_MAX))
            return heard
        try:
            command = parse_command(heard)
        except Refused as error:
            self._count_malformed(error)
            return error.code
        if command.cancel is not None:
            self._wake(heard, 0)
            if command.cancel not in self.cancels:
                self.cancels = (self.cancels + (command.cancel,))[-CANCELS_KEPT:]
        elif command.answer is None and command.refused is None:
            self._wake(heard, self._jitter_ms(JITTER_MS_MAX))
        return command

    def _wake(self, heard: "bytes | str", delay_ms: int) -> None:
        """Ask in so long, or later when the same was heard last and the robot asked because of it not long ago."""
        at_ms, key = self._clock_ms() + delay_ms, hash(heard)
        if key == self._last_heard and self._nudged_ms is not None:
            at_ms = max(at_ms, self._nudged_ms + NUDGE_PAUSE_MS)
        self._last_heard = key
        if self._wake_ms is None or at_ms < self._wake_ms:
            self._wake_ms = at_ms

    def _count_malformed(self, error: Refused) -> None:
        """Count, and say so at the first, second, fourth, eighth … one: a flood of them must not fill a disk."""
        self.malformed += 1
        if self.malformed & (self.malformed - 1) == 0:
            self._log(f"{error.code}: command {self.malformed} that makes no sense is ignored. {error.message}")
