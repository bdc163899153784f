import math

import pytest

from surefoot.rollout.evidence import SUSPICION
from surefoot.rollout.ramp import Ramp, offers_max

CLEAN = 0.0


@pytest.mark.parametrize(("settled", "offers"), [(0, 20), (5, 20), (10, 20), (11, 22), (20, 40), (5000, 10000)])
def test_each_wave_waits_for_the_one_before(settled: int, offers: int) -> None:
    assert offers_max(Ramp(), offered=offers, pending=offers - settled, settled=settled, log_pooled=CLEAN) == offers


def test_while_evidence_leans_against_the_release_waves_stay_small_and_wait_for_every_robot() -> None:
    def offers(log_pooled: float, pending: int) -> int:
        return offers_max(Ramp(), offered=150, pending=pending, settled=100, log_pooled=log_pooled)

    suspicious = math.log(SUSPICION)
    assert offers(suspicious, pending=1) == 150
    assert offers(suspicious, pending=0) == 170, "a rollout that stood still would never learn"
    assert offers(suspicious - 0.01, pending=1) == 200
