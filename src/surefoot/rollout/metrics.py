"""What gates watch: each metric's name, kind, words, and its weight in the budget of false halts."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Which bet a metric makes: `outcomes`, `first_event`, `rates` or `means`."""

    OUTCOME = "outcome"
    FIRST_EVENT = "first-event"
    RATE = "rate"
    MEAN = "mean"


class Metric(StrEnum):
    """A thing that a release can make worse."""

    NOT_RETURNED = "not-returned"
    INSTALL_FAILED = "install-failed"
    SAFETY_STOP = "safety-stop"
    SILENT = "silent"
    ERROR = "error"
    REBOOT = "reboot"
    WARNING_TIME = "warning-time"
    DTLS_FAILURES = "dtls-failures"
    BATTERY_DRAIN = "battery-drain"
    TOPIC_RATE = "topic-rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """How a metric is watched.

    `words` complete the sentence "2 of 12 canaries …" or, of rates and means, name what is counted. `accepted` is the
    share of updates that may end so, of outcomes alone. `worse_when_lower` is said of means.
    """

    metric: Metric
    kind: Kind
    weight: float
    words: str
    accepted: float = 0.0
    worse_when_lower: bool = False


# The weights: a robot that does not come back costs a visit, so its bet may be the least cautious.
DEFINITIONS = {
    known.metric: known
    for known in (
        Definition(
            metric=Metric.NOT_RETURNED,
            kind=Kind.OUTCOME,
            weight=0.30,
            words="did not come back",
            accepted=0.001,
        ),
        Definition(
            metric=Metric.SAFETY_STOP,
            kind=Kind.FIRST_EVENT,
            weight=0.10,
            words="made a safety stop without an operator",
        ),
        Definition(metric=Metric.SILENT, kind=Kind.FIRST_EVENT, weight=0.10, words="stopped sending diagnostics"),
        Definition(metric=Metric.ERROR, kind=Kind.FIRST_EVENT, weight=0.10, words="reported an error"),
        Definition(
            metric=Metric.INSTALL_FAILED,
            kind=Kind.OUTCOME,
            weight=0.08,
            words="failed to install",
            accepted=0.02,
        ),
        Definition(metric=Metric.REBOOT, kind=Kind.FIRST_EVENT, weight=0.08, words="restarted unasked"),
        Definition(metric=Metric.WARNING_TIME, kind=Kind.RATE, weight=0.06, words="Time with warnings or errors"),
        Definition(metric=Metric.DTLS_FAILURES, kind=Kind.RATE, weight=0.06, words="Failed DTLS handshakes"),
        Definition(metric=Metric.BATTERY_DRAIN, kind=Kind.MEAN, weight=0.06, words="Battery drain"),
        Definition(metric=Metric.TOPIC_RATE, kind=Kind.MEAN, weight=0.06, words="Topic rate", worse_when_lower=True),
    )
}
