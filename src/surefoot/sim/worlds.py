"""Many seeded worlds, shared over processes: what struck them, and what became of their promises."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

from surefoot.sim.faults import Fault
from surefoot.sim.world import Ending, run_world


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of some worlds.

    `robots` is how many lived in all of them, `events` how often time went on to something; `faults` counts by kind
    what struck them; `divergent` records differed from their robot when everything was healed; `broken` names each
    broken promise with its seed, and `stories` are the traces of the worlds in which that happened.
    """

    worlds: int
    robots: int
    events: int
    faults: dict[str, int]
    divergent: int
    broken: tuple[str, ...]
    seconds: float
    stories: dict[int, tuple[str, ...]]


def run_worlds(
    first_seed: int,
    worlds: int,
    robots: int,
    kinds: tuple[Fault, ...],
    *,
    processes: int | None = None,
    show: Callable[[int, int], None] | None = None,
) -> Totals:
    """Run the worlds of consecutive seeds; `show` gets how many are done and planned."""
    started_s = time.monotonic()
    seeds = range(first_seed, first_seed + worlds)
    endings = []
    for ending in _endings(seeds, partial(_run, robots=robots, kinds=kinds), processes or os.cpu_count() or 1):
        endings.append(ending)
        if show is not None:
            show(len(endings), worlds)
    faults: Counter[str] = Counter()
    for ending in endings:
        faults.update(ending.faults)
    return Totals(
        worlds=worlds,
        robots=worlds * robots,
        events=sum(ending.events for ending in endings),
        faults={kind: faults[kind] for kind in kinds},
        divergent=sum(ending.divergent for ending in endings),
        broken=tuple(f"seed {ending.seed}: {broken}" for ending in endings for broken in ending.broken),
        seconds=round(time.monotonic() - started_s, 1),
        stories={ending.seed: tuple(map(str, ending.trace)) for ending in endings if ending.broken},
    )


def _endings(seeds: range, run: Callable[[int], Ending], processes: int) -> Iterator[Ending]:
    if min(len(seeds), processes) == 1:
        yield from map(run, seeds)
        return
    # Spawned, not forked: the parent may have threads, and a child would inherit their locks.
    with ProcessPoolExecutor(min(len(seeds), processes), mp_context=get_context("spawn")) as pool:
        yield from pool.map(run, seeds)


def _run(seed: int, *, robots: int, kinds: tuple[Fault, ...]) -> Ending:
    """Run one world and keep of its trace what tells why a promise was broken."""
    ending = run_world(seed, robots, kinds)
    return replace(ending, trace=tuple(ending.story()) if ending.broken else ())
