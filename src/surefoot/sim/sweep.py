"""Whole sweeps of power cuts, shared over processes: which worlds there are, and what became of them."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from surefoot.fleet.ports import Store
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim.cuts import OLD_VERSION, Bench, Ending, World, run_world
from surefoot.sim.flash import Cut
from surefoot.sim.ground import SimFleet
from surefoot.sim.images import app_image
from surefoot.sim.memory_store import MemoryStore
from surefoot.sim.partitions import SMALL, SMALL_GEOMETRIES, Geometry
from surefoot.sim.robot import Behaviour

NEW_VERSION = "0.2.1"
# Worlds a process gets at a time: enough that making its fleet does not count, few enough for a bar that moves.
WORLDS_A_TASK = 120
# Prime, so that it visits every operation of a recovery of another length before it comes back.
PAIR_STRIDE = 101


class Way(StrEnum):
    """What robots are offered: the full file alone, a delta beside it, or a delta that makes a wrong image."""

    FULL = "full"
    DELTA = "delta"
    SPOILT_DELTA = "spoilt-delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """Worlds that share a chip, a firmware's behaviour and a way to it; `rollback` tells how the bootloader was built.

    Every `step`-th operation is cut, and every `pair_every`-th of those worlds once more in its recovery.
    """

    geometry: Geometry
    behaviour: Behaviour
    rollback: bool
    way: Way
    step: int
    pair_every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of a sweep.

    `points` worlds were cut once and `pairs` twice; `divergent` ended with a record that is not the robot,
    `unbootable` had a moment at which nothing would boot; `faults` says so of each.
    """

    points: int
    pairs: int
    worlds: int
    geometries: int
    divergent: int
    unbootable: int
    seconds: float
    faults: tuple[str, ...]


def strands(*, full: bool) -> list[Strand]:
    """Return what a sweep covers: short, a look at everything; full, every operation."""
    covered = [
        (geometry, rollback, behaviour, Way.FULL)
        for geometry in SMALL_GEOMETRIES
        for rollback in (True, False)
        for behaviour in Behaviour
    ]
    # From the restart on it makes no difference by which way the image came.
    covered += [(geometry, True, Behaviour.HEALTHY, Way.DELTA) for geometry in SMALL_GEOMETRIES]
    covered += [(SMALL, True, Behaviour.HEALTHY, Way.SPOILT_DELTA), (SMALL, False, Behaviour.CRASHES, Way.DELTA)]
    return [
        Strand(
            geometry=geometry,
            behaviour=behaviour,
            rollback=rollback,
            way=way,
            step=1 if full else 67,
            pair_every=3 if full else 1,
        )
        for geometry, rollback, behaviour, way in covered
    ]


def run_sweep(*, full: bool, processes: int | None = None, show: Callable[[int, int], None] | None = None) -> Totals:
    """Run every world of a sweep; `show` gets how many are done and planned."""
    started_s = time.monotonic()
    tasks = [task for strand in strands(full=full) for task in _tasks(strand)]
    planned = sum(len(worlds) for _, worlds in tasks)
    endings: list[Ending] = []
    # Spawned, not forked: the parent has threads, and a child would inherit their locks.
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_task, strand, worlds) for strand, worlds in tasks]):
            endings += done.result()
            if show is not None:
                show(len(endings), planned)
    faults = tuple(f"{ending.world.name}: {fault}" for ending in endings for fault in ending.faults)
    unbootable = sum(any("boot" in fault for fault in ending.faults) for ending in endings)
    return Totals(
        points=sum(ending.world.recut_at is None for ending in endings),
        pairs=sum(ending.world.recut_at is not None for ending in endings),
        worlds=len(endings),
        geometries=len(SMALL_GEOMETRIES),
        divergent=sum(bool(ending.faults) for ending in endings) - unbootable,
        unbootable=unbootable,
        seconds=round(time.monotonic() - started_s, 1),
        faults=faults,
    )


def run_task(strand: Strand, worlds: list[World]) -> list[Ending]:
    """Run some worlds of one strand on a fleet of their own."""
    with tempfile.TemporaryDirectory(prefix="surefoot-sweep-") as directory:
        bench = _bench(strand, Path(directory))
        try:
            return [run_world(bench, world) for world in worlds]
        finally:
            bench.fleet.close()


def _tasks(strand: Strand) -> Iterator[tuple[Strand, list[World]]]:
    worlds = _worlds(strand)
    while batch := list(islice(worlds, WORLDS_A_TASK)):
        yield strand, batch


def _worlds(strand: Strand) -> Iterator[World]:
    """Yield one world a point and kind of cut, and after it those whose recovery is cut as well."""
    with tempfile.TemporaryDirectory(prefix="surefoot-sweep-") as directory:
        # What a robot writes does not depend on where its fleet keeps its rows.
        bench = _bench(strand, Path(directory), MemoryStore())
        operations = bench.count_operations(strand.behaviour)
        bench.fleet.close()
    for cut in Cut:
        for nth, cut_at in enumerate(range(1, operations + 1, strand.step)):
            yield World(cut_at=cut_at, cut=cut, behaviour=strand.behaviour)
            if nth % strand.pair_every:
                continue
            # One pair a point, each elsewhere in the recovery, so that a sweep reaches all of it.
            recut_at = 1 + cut_at * PAIR_STRIDE % operations
            yield World(cut_at=cut_at, cut=cut, behaviour=strand.behaviour, recut_at=recut_at)


def _bench(strand: Strand, directory: Path, store: Store | None = None) -> Bench:
    new_key(directory / "key.pem")
    fleet = SimFleet(directory, open_signer(f"file:{directory / 'key.pem'}"), store)
    old_image = app_image(OLD_VERSION, seed=1)
    # What a delta leads to has most of its bytes from what it leads from.
    release = fleet.publish(app_image(NEW_VERSION, seed=2 if strand.way is Way.FULL else 1), NEW_VERSION)
    if strand.way is not Way.FULL:
        fleet.publish_delta(old_image, OLD_VERSION, release, spoilt=strand.way is Way.SPOILT_DELTA)
    fleet.start_rollout(release)
    return Bench(
        fleet=fleet,
        geometry=strand.geometry,
        old_image=old_image,
        release=release,
        rollback_enabled=strand.rollback,
    )
