"""The way to the server over MQTT, with HTTPS behind it: the same facts, the same answers.

The same file runs on CPython and on MicroPython; the connection to the broker is a `shell.ports.MqttLink`.
"""

from surefoot.wire.report import encode_report
from surefoot.wire.topics import health_topic, report_topic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from surefoot.shell.attention import Attention
    from surefoot.shell.ports import Download, MqttLink, Transport
    from surefoot.wire.offer import Answer
    from surefoot.wire.report import Report

ANSWER_TIMEOUT_MS = 5000
KEEPALIVE_S = 30
# A fleet whose broker comes back must not come back at once.
RECONNECT_MS_FIRST = 1000
RECONNECT_MS_MAX = 60_000
# A connection that held shorter counts as a failure: somebody may connect with this robot's id in turn with it.
STABLE_MS = 60_000


class MqttTransport:
    """One robot's way to its server. Fills `shell.ports.Transport`.

    Args:
        link: The connection to the broker.
        attention: Hears what comes over that connection.
        fallback: Takes what MQTT does not: downloads, and reports that nobody answered.
        log: Tells a person.
        timeout_ms: For the broker to take a report, and again for the server to answer it.
    """

    def __init__(
        self,
        link: "MqttLink",
        attention: "Attention",
        fallback: "Transport",
        log: "Callable[[str], None]",
        timeout_ms: int = ANSWER_TIMEOUT_MS,
    ) -> None:
        self._link = link
        self._attention = attention
        self._fallback = fallback
        self._log = log
        self._timeout_ms = timeout_ms

    def exchange(self, report: "Report") -> "Answer":
        """Publish the report and wait for its answer; ask over HTTPS when none comes, and raise as that does.

        A refusal is an answer: the same server would say the same over HTTPS.
        """
        cancels = self._attention.cancels
        answer = None
        if self._link.publish(report_topic(report.robot_id), encode_report(report), self._timeout_ms):
            answer = self._attention.answer_to(report, self._timeout_ms)
            if answer is None:
                self._log("no answer over MQTT: asking over HTTPS")
        if answer is None:
            # The same report: whoever got it twice takes it once.
            answer = self._fallback.exchange(report)
        self._attention.forget(cancels)
        return answer

    def open(self, url: str, sha256: str, first_byte: int) -> "Download":
        """Open a download, which is over HTTPS; raise as that does."""
        return self._fallback.open(url, sha256, first_byte)

    def publish_health(self, robot_id: str, window: bytes) -> bool:
        """Publish an encoded health window; return whether the broker took it, or it is for another time or way."""
        return self._link.publish(health_topic(robot_id), window, self._timeout_ms)


def reconnect_pause_ms(failures: int, jitter_ms: "Callable[[int], int]") -> int:
    """Return the pause before the next try to connect: chance up to a limit that doubles with every failure."""
    return jitter_ms(min(RECONNECT_MS_MAX, RECONNECT_MS_FIRST << min(failures, 6)))
