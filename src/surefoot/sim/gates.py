"""Rollouts in virtual time: a fleet of chance, the real gates and ramp, and what other rules would have said.

A rollout goes on after its gate halted, so that other rules can be seen to halt later, or never.
"""

import math
import random
from dataclasses import dataclass, field

from surefoot.rollout import budget, gate
from surefoot.rollout.ramp import Ramp
from surefoot.sim.gate_fleet import WINDOW_H, WINDOWS_MAX, Effect, Fleet, Habits
from surefoot.sim.gate_rivals import Rival, Rivals
from surefoot.sim.gate_world import World

OURS = "gates"
# A phase soaks once this share of the robots it reaches were offered the release: some are away for days.
SOAKS_FROM = 0.95
# Share of the fleet and hours of soak, as in the default plan; the first phase is two robots.
PHASES = ((0.0, 24.0), (0.1, 48.0), (0.5, 24.0), (1.0, 24.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """When a rule halted, in hours since the start, and how many robots had been offered the release by then."""

    hours: float
    exposed: int
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """How one rollout went: who halted it and when, how long it took, and when it went beyond its first two robots."""

    robots: int
    widened_h: float = 0.0
    halts: dict[str, Halt] = field(default_factory=dict)
    hours: float = 0.0


def play(
    robots: int, habits: Habits, effect: Effect, seed: str, ramp: Ramp | None, goes_on_h: float = math.inf
) -> Story:
    """Play one rollout to its end, until every rule has halted it, or so many hours beyond its gate's halt."""
    world = World(Fleet(robots, habits, random.Random(seed)), effect, ramp)
    evidence, others, halts, log_pooled = gate.start(), Rivals(), dict[str, Halt](), 0.0
    phase, soaked, widened_h = -1, PHASES[0][1], 0.0
    for window in range(WINDOWS_MAX - 1):
        if phase < 0 or soaked >= PHASES[phase][1]:
            phase, soaked = phase + 1, 0.0
            if phase == len(PHASES):
                break
            if phase == 1:
                widened_h = window * WINDOW_H
            evidence = gate.open_phase(evidence, world.open(PHASES[phase][0], window))
        facts = world.pass_window(window, log_pooled)
        evidence = gate.look(evidence, facts)
        so_far = gate.log_pooled(evidence)
        log_pooled = gate.log_pooled(evidence, world.missing) if world.missing else so_far
        hours = (window + 1) * WINDOW_H
        if OURS not in halts and so_far >= -math.log(budget.ALPHA):
            sentence = gate.judge(evidence, soaked=False).sentence
            halts[OURS] = Halt(hours=hours, exposed=world.offered, sentence=sentence)
        for rival in others.halted(facts):
            halts.setdefault(rival, Halt(hours=hours, exposed=world.offered))
        if len(halts) == 1 + len(Rival) or (OURS in halts and hours >= halts[OURS].hours + goes_on_h):
            break
        soaked += WINDOW_H * (world.offered >= SOAKS_FROM * world.reached)
    return Story(robots=robots, halts=halts, hours=(window + 1) * WINDOW_H, widened_h=widened_h)
