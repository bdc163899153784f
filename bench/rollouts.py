"""False halts, and what gates find and when, in rollouts of virtual time beside fixed thresholds and a repeated t-test.

Every rollout is the default plan's four phases on a fleet of chance with fixed seeds, looked at each quarter of an
hour with the real gates of `surefoot.rollout` and its ramp. Hours count from when the release went beyond the first
two robots.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from surefoot.rollout.outcomes import tail
from surefoot.rollout.ramp import Ramp
from surefoot.sim.gate_fleet import Effect, Habits
from surefoot.sim.gate_rivals import Rival
from surefoot.sim.gates import OURS, Story, play

RULES = (OURS, Rival.RATIO, Rival.FAILED_SHARE, Rival.T_TEST)
HABITS = {
    "plain": Habits(),
    "bursty": Habits(bursts=True),
    "activity": Habits(activity_deviation=1.0, eager_first=True),
}
EFFECTS = {
    "error_x2": Effect(error_times=2),
    "error_x5": Effect(error_times=5),
    "brick_2pct": Effect(bricked_share=0.02),
    "silent_5pct": Effect(silent_share=0.05),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a table: rollouts of one fleet with one effect."""

    name: str
    robots: int
    habits: str
    effect: Effect
    runs: int
    ramp: bool = True
    goes_on_h: float = 1e9


def cases(quick: bool) -> list[Case]:
    """Return all rows, the short form with few rollouts each."""
    quiet, small, large = (20, 10, 1) if quick else (400, 100, 8)
    # A rollout of 100,000 robots is not followed for days after its halt: the other rules' figures are those by then.
    big = Case(name="brick_2pct", robots=100_000, habits="plain", effect=Effect(), runs=large, goes_on_h=6.0)
    found = [Case(name=f"none_{habits}", robots=1000, habits=habits, effect=Effect(), runs=quiet) for habits in HABITS]
    found += [
        Case(name=name, robots=robots, habits="plain", effect=effect, runs=small)
        for robots in (50, 1000)
        for name, effect in EFFECTS.items()
    ]
    names = ("brick_2pct",) if quick else tuple(EFFECTS)
    found += [replace(big, name=name, effect=EFFECTS[name]) for name in names]
    if not quick:
        found.append(replace(big, name="brick_2pct_no_ramp", effect=EFFECTS["brick_2pct"], ramp=False))
    return found


def play_case(case: Case, number: int) -> Story:
    """Play one rollout of a row."""
    ramp = Ramp() if case.ramp else None
    seed = f"{case.name}/{case.robots}/{number}"
    return play(case.robots, HABITS[case.habits], case.effect, seed, ramp, case.goes_on_h)


def interval(count: int, runs: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Clopper and Pearson 1934)."""
    low = 0.0 if count == 0 else _solve(lambda share: tail(runs, share, count) >= 0.025)
    high = 1.0 if count == runs else _solve(lambda share: tail(runs, share, count + 1) >= 0.975)
    return low, high


def _solve(is_above: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return round(high, 4)


def figures_of(case: Case, stories: list[Story]) -> dict[str, float | list[float] | None]:
    """Return the JSON figures of a row."""
    found: dict[str, float | list[float] | None] = {}
    if case.name.startswith("none_"):
        kind = "" if case.habits == "plain" else f"_{case.habits}"
        for rule in RULES:
            count = sum(rule in story.halts for story in stories)
            name = f"false_halt_share{kind}" + ("" if rule == OURS else f"_{rule}")
            found[name] = count / case.runs
            found[f"{name}_interval"] = list(interval(count, case.runs))
        return found
    key = f"{case.name}_{case.robots}"
    for rule in RULES:
        suffix = "" if rule == OURS else f"_{rule}"
        halts = [(story.halts[rule], story.widened_h) for story in stories if rule in story.halts]
        found[f"found_share_{key}{suffix}"] = len(halts) / case.runs
        hours = [max(0.0, halt.hours - widened_h) for halt, widened_h in halts]
        found[f"hours_to_halt_{key}{suffix}"] = statistics.median(hours) if halts else None
        found[f"exposed_{key}{suffix}"] = statistics.median(halt.exposed for halt, _ in halts) if halts else None
    if case.name.startswith("brick_2pct") and case.robots == 100_000:
        exposed = [story.halts[OURS].exposed if OURS in story.halts else case.robots for story in stories]
        kind = "" if case.ramp else "_no_ramp"
        found[f"exposed_share_brick_2pct{kind}"] = max(exposed) / case.robots
        found[f"exposed_share_brick_2pct{kind}_median"] = statistics.median(exposed) / case.robots
    return found


def run(quick: bool, processes: int) -> dict[str, float | list[float] | None]:
    """Play every row and return all figures."""
    figures: dict[str, float | list[float] | None] = {}
    with ProcessPoolExecutor(processes) as pool:
        for case in cases(quick):
            stories = list(pool.map(partial(play_case, case), range(case.runs)))
            figures |= figures_of(case, stories)
            halted = [story.halts[OURS].sentence for story in stories if OURS in story.halts]
            example = f"; the first: {halted[0]}" if halted else ""
            progress = f"{case.name}, {case.robots} robots: {len(halted)} of {case.runs} halted{example}"
            print(progress, file=sys.stderr, flush=True)
    return figures


def tables(figures: dict[str, float | list[float] | None], quick: bool) -> str:
    """Return the figures as tables."""
    head = "| gates | any rate doubled | failed installs > 5 % | t-test at each look |"
    rule = "|---|---|---|---|---|"
    lines = [
        "Nothing wrong planted, 1,000 robots, share of rollouts halted (95 % interval):",
        "",
        f"| fleet {head}",
        rule,
    ]
    shown = {case.name: case for case in cases(quick)}
    for habits in HABITS:
        kind = "" if habits == "plain" else f"_{habits}"
        cells = [_halted(figures, f"false_halt_share{kind}", name) for name in RULES]
        lines.append(f"| {habits}, {shown[f'none_{habits}'].runs} rollouts | {' | '.join(cells)} |")
    lines += [
        "",
        "Effect planted, share found (median hours to the halt, median robots exposed):",
        "",
        f"| effect {head}",
    ]
    lines.append(rule)
    for case in cases(quick):
        if not case.name.startswith("none_"):
            cells = [_found(figures, f"{case.name}_{case.robots}", name) for name in RULES]
            label = f"{case.name}, {case.robots:,} robots, {case.runs} rollouts"
            lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _halted(figures: dict[str, float | list[float] | None], name: str, rule: str) -> str:
    key = name + ("" if rule == OURS else f"_{rule}")
    share, span = figures[key], figures[f"{key}_interval"]
    if not isinstance(share, float) or not isinstance(span, list):
        raise TypeError(key)
    return f"{share:.1%} ({span[0]:.1%} to {span[1]:.1%})"


def _found(figures: dict[str, float | list[float] | None], key: str, rule: str) -> str:
    suffix = "" if rule == OURS else f"_{rule}"
    share = figures[f"found_share_{key}{suffix}"]
    if not share:
        return "0 %"
    return f"{share:.0%} ({figures[f'hours_to_halt_{key}{suffix}']:.1f} h, {figures[f'exposed_{key}{suffix}']:.0f})"


def main() -> None:
    """Play the rollouts and print the tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rollouts, for a look")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many share the work")
    arguments = parser.parse_args()
    figures = run(arguments.quick, arguments.processes)
    print(json.dumps(figures) if arguments.json else tables(figures, arguments.quick))


if __name__ == "__main__":
    main()
