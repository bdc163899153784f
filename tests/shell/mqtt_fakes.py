"""MQTT without a broker: an ear whose time passes by listening, and a link that leads to a fleet in memory.

Runs on MicroPython too.
"""

from surefoot.shell.attention import Attention
from surefoot.wire.command import answer_command, encode_command, refusal_command
from surefoot.wire.errors import Refused
from surefoot.wire.report import parse_report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shell.fakes import MemoryServer
    from surefoot.wire.report import Report


class TimedEar:
    """What is to be heard when, and a clock that only listening moves on. Fills `shell.ports.Hear`."""

    def __init__(self) -> None:
        self.now_ms = 1000
        self.coming: "list[tuple[int, bytes | str]]" = []
        self.jitters: "list[int]" = []
        self.lines: "list[str]" = []

    def tell(self, what: "bytes | str", after_ms: int = 0) -> None:
        at_ms, index = self.now_ms + after_ms, len(self.coming)
        while index and self.coming[index - 1][0] > at_ms:
            index -= 1
        self.coming.insert(index, (at_ms, what))

    def __call__(self, timeout_ms: int) -> "bytes | str | None":
        if self.coming and self.coming[0][0] <= self.now_ms + timeout_ms:
            at_ms, what = self.coming.pop(0)
            self.now_ms = max(self.now_ms, at_ms)
            return what
        self.now_ms += timeout_ms
        return None

    def clock_ms(self) -> int:
        return self.now_ms

    def jitter_ms(self, limit_ms: int) -> int:
        """Throw dice that show half of it."""
        self.jitters.append(limit_ms)
        return limit_ms // 2

    def attention(self) -> Attention:
        return Attention(self, self.clock_ms, self.jitter_ms, self.lines.append)


class MemoryLink:
    """A broker with a fleet behind it, both of which can be away. Fills `shell.ports.MqttLink`."""

    def __init__(self, ear: TimedEar, server: "MemoryServer") -> None:
        self._ear = ear
        self._server = server
        self.is_up = True
        self.answers = True
        self.published: "list[tuple[str, bytes]]" = []

    def publish(self, topic: str, payload: bytes, timeout_ms: int) -> bool:
        if not self.is_up:
            return False
        self.published.append((topic, payload))
        if self.answers and topic.endswith("/report"):
            report = parse_report(payload)
            self._ear.tell(self.answer(report), after_ms=50)
        return True

    def answer(self, report: "Report") -> bytes:
        try:
            return encode_command(answer_command(self._server.exchange(report), report))
        except Refused as refusal:
            return encode_command(refusal_command(refusal, report))
