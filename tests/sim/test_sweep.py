"""The short sweep, as `surefoot simulate cuts` runs it, and what it covers."""

import pytest

from surefoot.sim.partitions import NO_FACTORY, SMALL, THREE_SLOTS
from surefoot.sim.robot import Behaviour
from surefoot.sim.sweep import Way, run_sweep, strands


@pytest.mark.timeout(300)
def test_the_short_sweep_breaks_no_promise() -> None:
    totals = run_sweep(full=False)
    assert totals.faults == ()
    assert (totals.divergent, totals.unbootable) == (0, 0)
    assert totals.points > 900 and totals.pairs > 900
    assert totals.worlds == totals.points + totals.pairs


@pytest.mark.parametrize("full", [False, True])
def test_updates_by_a_delta_are_swept_on_every_geometry_and_one_by_a_spoilt_delta(full: bool) -> None:
    covered = {(strand.geometry.name, strand.way) for strand in strands(full=full)}
    assert covered >= {(geometry.name, Way.DELTA) for geometry in (SMALL, NO_FACTORY, THREE_SLOTS)}
    assert (SMALL.name, Way.SPOILT_DELTA) in covered


@pytest.mark.parametrize("full", [False, True])
def test_every_geometry_bootloader_and_behaviour_is_swept(full: bool) -> None:
    covered = {(strand.geometry.name, strand.rollback, strand.behaviour) for strand in strands(full=full)}
    geometries = (SMALL, NO_FACTORY, THREE_SLOTS)
    assert covered == {
        (geometry.name, rollback, behaviour)
        for geometry in geometries
        for rollback in (True, False)
        for behaviour in Behaviour
    }


def test_the_full_sweep_leaves_no_operation_out() -> None:
    assert {strand.step for strand in strands(full=True)} == {1}
