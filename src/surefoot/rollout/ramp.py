"""The ramp: within a phase the doors open gradually, a small first wave, then more as evidence stays clean.

An update that destroys one robot in fifty shows after a hundred or two. Offered to all at once, thousands have it by
then; when every wave waits for the one before to have come back and settled, a few hundred do.
"""

import math
from dataclasses import dataclass

from surefoot.rollout.evidence import SUSPICION


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """How fast doors open: the first wave, and how many more offers each robot that came back and settled allows."""

    first_wave: int = 20
    offers_per_settled: float = 2.0


def offers_max(ramp: Ramp, *, offered: int, pending: int, settled: int, log_pooled: float) -> int:
    """Return how many robots may have been offered the release so far, of the whole rollout, if `offered` have been.

    `settled` are robots that came back and are past their settling time, `pending` those that neither settled nor count
    as lost yet. `log_pooled` is `gate.log_pooled`, with the robots counted as missing that are away since their trial
    boot. While it leans against the release, one first wave opens at a time, after every robot of the one before is
    accounted for: enough to learn whether the suspicion is right.
    """
    if log_pooled >= math.log(SUSPICION):
        return offered if pending else offered + ramp.first_wave
    return int(max(ramp.first_wave, ramp.offers_per_settled * settled))
