"""False halts, and what gates find and when, in rollouts of virtual time beside fixed thresholds and a repeated t-test.

Every rollout is the default plan's four phases on a fleet of chance with fixed seeds, looked at each quarter of an
hour with the real gates of `surefoot.rollout` and its ramp. Hours count from when the release went beyond the first
two robots. The last part measures what a rollout costs the server of a million robots, on SQLite.

A row takes minutes: with `--keep` each is stored when it is done, and the next call goes on behind it.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from bench_peers.rollout_scale import ROLLOUTS, Figures, measure_scale
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
# How long a rollout is followed beyond the halt by its gates: the other rules have that much longer to find it.
GOES_ON_H = {50: 24.0, 1000: 24.0, 100_000: 6.0}
# Key, words, unit, and what is wanted of it.
SCALE_ROWS = (
    ("create_rollout_ms", "creating a rollout, one row", "ms", "50 ms"),
    ("tick_ms", f"a tick over {ROLLOUTS} running rollouts, median", "ms", "1,000 ms"),
    ("tick_cpu_ms", "of that, CPU", "ms", "-"),
    ("tick_cpu_ms_after_1000_windows", "CPU after 1,000 more health windows", "ms", "the same"),
    ("gate_survey_s", "going through all robots for a gate, beside the ticks", "s", "-"),
    ("survey_s", "going through all robots that lack the release, beside the ticks", "s", "-"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a table: rollouts of one fleet with one effect."""

    part: str
    name: str
    robots: int
    habits: str = "plain"
    effect: Effect
    runs: int
    ramp: bool = True
    goes_on_h: float = 1e9

    @property
    def key(self) -> str:
        """The row's name in the JSON figures."""
        return f"{self.name}_{self.robots}"


def cases(quick: bool) -> list[Case]:
    """Return all rows, the short form with few rollouts each."""
    quiet, small, large = (20, 10, 1) if quick else (400, 100, 8)
    found = [
        Case(part="false", name=f"none_{habits}", robots=1000, habits=habits, effect=Effect(), runs=quiet)
        for habits in HABITS
    ]
    for robots, goes_on_h in GOES_ON_H.items():
        names = ("brick_2pct",) if quick and robots > 1000 else tuple(EFFECTS)
        found += [
            Case(
                part=str(robots),
                name=name,
                robots=robots,
                effect=EFFECTS[name],
                runs=small if robots <= 1000 else large,
                goes_on_h=goes_on_h,
            )
            for name in names
        ]
    if not quick:
        effect = EFFECTS["brick_2pct"]
        found.append(
            Case(
                part="100000",
                name="brick_2pct_no_ramp",
                robots=100_000,
                effect=effect,
                runs=large,
                ramp=False,
                goes_on_h=GOES_ON_H[100_000],
            )
        )
    return found


SCALE_ROBOTS = 1_000_000
PARTS = ("false", *(str(robots) for robots in GOES_ON_H), "scale")


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


def figures_of(case: Case, stories: list[Story]) -> Figures:
    """Return the JSON figures of a row."""
    found: Figures = {}
    if case.name.startswith("none_"):
        kind = "" if case.habits == "plain" else f"_{case.habits}"
        for rule in RULES:
            count = sum(rule in story.halts for story in stories)
            name = f"false_halt_share{kind}" + ("" if rule == OURS else f"_{rule}")
            found[name] = count / case.runs
            found[f"{name}_interval"] = list(interval(count, case.runs))
        return found
    key = case.key
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


def play_row(case: Case, pool: ProcessPoolExecutor) -> Figures:
    """Play all rollouts of a row and return its figures."""
    stories = list(pool.map(partial(play_case, case), range(case.runs)))
    halted = [story.halts[OURS].sentence for story in stories if OURS in story.halts]
    example = f"; the first: {halted[0]}" if halted else ""
    tell(f"{case.name}, {case.robots} robots: {len(halted)} of {case.runs} halted{example}")
    return figures_of(case, stories)


def run(quick: bool, processes: int, parts: tuple[str, ...], kept: "Kept") -> Figures:
    """Play every row of these parts that is not kept yet, and return all figures."""
    with ProcessPoolExecutor(processes) as pool:
        for case in cases(quick):
            if case.part in parts and case.key not in kept.rows:
                kept.put(case.key, play_row(case, pool))
    if "scale" in parts and "scale" not in kept.rows:
        kept.put("scale", measure_scale(40_000 if quick else SCALE_ROBOTS, tell))
    return {name: value for figures in kept.rows.values() for name, value in figures.items()}


class Kept:
    """The figures of rows that were played, in a file if there is one for them."""

    def __init__(self, path: Path | None, quick: bool) -> None:
        self._path, self._quick = path, quick
        self.rows: dict[str, Figures] = {}
        if path is not None and path.exists():
            found = json.loads(path.read_text())
            if found["quick"] == quick:
                self.rows = found["rows"]

    def put(self, key: str, figures: Figures) -> None:
        """Keep a row."""
        self.rows[key] = figures
        if self._path is not None:
            self._path.write_text(json.dumps({"quick": self._quick, "rows": self.rows}, indent=1) + "\n")


def tell(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)


def tables(figures: Figures, quick: bool, rows: dict[str, Figures]) -> str:
    """Return the figures of these rows as tables."""
    head = "| gates | any rate doubled | failed installs > 5 % | t-test at each look |"
    rule = "|---|---|---|---|---|"
    shown = [case for case in cases(quick) if case.key in rows]
    quiet, found = [case for case in shown if case.part == "false"], [case for case in shown if case.part != "false"]
    lines: list[str] = []
    if quiet:
        lines += ["Nothing wrong planted, 1,000 robots: share of rollouts halted (95 % interval).", ""]
        lines += [f"| fleet {head}", rule]
    for case in quiet:
        kind = "" if case.habits == "plain" else f"_{case.habits}"
        cells = [_halted(figures, f"false_halt_share{kind}", name) for name in RULES]
        lines.append(f"| {case.habits}, {case.runs} rollouts | {' | '.join(cells)} |")
    if found:
        lines += ["", "Effect planted: share found (median hours to the halt, median robots exposed).", ""]
        lines += [f"| effect {head}", rule]
    for case in found:
        cells = [_found(figures, case.key, name) for name in RULES]
        lines.append(f"| {case.name}, {case.robots:,} robots, {case.runs} rollouts | {' | '.join(cells)} |")
    return "\n".join([*lines, *_exposed_lines(figures), *_scale_lines(figures)]).strip()


def _exposed_lines(figures: Figures) -> list[str]:
    lines = []
    for kind, way in (("", "with the ramp"), ("_no_ramp", "with doors that open at once")):
        if f"exposed_share_brick_2pct{kind}" in figures:
            most, median = (_number(figures, f"exposed_share_brick_2pct{kind}{of}") for of in ("", "_median"))
            shares = f"at most {most * 100:.2f} % of the fleet exposed, {median * 100:.2f} % in the median."
            lines += ["", f"2 % of 100,000 robots bricked, {way}: {shares}"]
    return lines


def _scale_lines(figures: Figures) -> list[str]:
    if "scale_robots" not in figures:
        return []
    robots = int(_number(figures, "scale_robots"))
    lines = ["", f"{robots:,} robots, on SQLite.", "", "| what | measured | wanted |", "|---|---|---|"]
    for key, words, unit, wanted in SCALE_ROWS:
        lines.append(f"| {words} | {_number(figures, key):,.1f} {unit} | {wanted} |")
    return lines


def _number(figures: Figures, key: str) -> float:
    value = figures[key]
    if not isinstance(value, int | float):
        raise TypeError(key)
    return value


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _halted(figures: Figures, name: str, rule: str) -> str:
    key = name + ("" if rule == OURS else f"_{rule}")
    span = figures[f"{key}_interval"]
    if not isinstance(span, list):
        raise TypeError(key)
    return f"{_percent(_number(figures, key))} ({_percent(span[0])} to {_percent(span[1])})"


def _found(figures: Figures, key: str, rule: str) -> str:
    suffix = "" if rule == OURS else f"_{rule}"
    share = _number(figures, f"found_share_{key}{suffix}")
    if not share:
        return "0 %"
    hours, exposed = (_number(figures, f"{name}_{key}{suffix}") for name in ("hours_to_halt", "exposed"))
    return f"{share * 100:.0f} % ({hours:.1f} h, {exposed:.0f})"


def main() -> None:
    """Play the rollouts and print the tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rollouts, for a look")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many share the work")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these parts")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the rows that are done here, and go on behind")
    arguments = parser.parse_args()
    kept = Kept(arguments.keep, arguments.quick)
    figures = run(arguments.quick, arguments.processes, tuple(arguments.parts), kept)
    print(json.dumps(figures) if arguments.json else tables(figures, arguments.quick, kept.rows))


if __name__ == "__main__":
    main()
