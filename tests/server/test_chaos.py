"""Two server processes on PostgreSQL, one killed amid traffic: the short form of `bench/chaos.py`."""

from pathlib import Path

import pytest

from postgres import new_database
from surefoot.sim.process_chaos import run_process_chaos
from surefoot.sim.process_totals import SHORT

# The first process leads, and with this seed it is also the first to be killed.
SEED = 2


@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_two_processes_that_are_killed_under_traffic_keep_every_promise(tmp_path: Path) -> None:
    # Whether a takeover keeps to its time is for an idle machine to show: `bench/chaos.py` does.
    found = run_process_chaos(tmp_path, new_database(), SHORT, SEED)
    assert [broken for broken in found.broken if not broken.startswith("taken-over-in-time")] == []
    assert found.kills >= 1
    assert found.leaders_killed >= 1
    assert found.rollouts_finished >= 1
    assert found.updates >= SHORT.robots
    assert found.refused_over_limit > 0
    assert found.answers_lost > 0
