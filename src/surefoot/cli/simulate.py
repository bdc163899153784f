"""`surefoot simulate`: let a simulated world try to break the promise."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson
from surefoot.cli.simulate_rollout import show_progress, show_story
from surefoot.shell.files import read_file
from surefoot.wire.errors import Damaged

if TYPE_CHECKING:
    from surefoot.sim.faults import Fault
    from surefoot.sim.sweep import Totals
    from surefoot.sim.worlds import Totals as WorldTotals

# Faults are shown by name up to here; the count says how many there are.
FAULTS_SHOWN = 10
# A broken promise takes a line, and its story follows.
PROMISES_SHOWN = 3

app = noun("Let a simulated world try to break the promise.")


@app.command(epilog=example("surefoot simulate cuts", "surefoot simulate cuts --full --json"))
def cuts(
    full: Annotated[bool, typer.Option("--full", help="Every operation, geometry and pair of cuts.")] = False,
    processes: Annotated[
        int, typer.Option("--processes", help="How many processes share the work.", show_default="one a core", min=0)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Cut the power at the flash operations of a whole update, then again during the recovery from that.

    Every world ends by comparing the fleet's record with what stands in the robot's flash, and fails if they differ, if
    nothing would boot at some moment, or if the robot never comes to rest.
    """
    from surefoot.sim.sweep import run_sweep

    totals = run_sweep(full=full, processes=processes or None, show=None if as_json else _progress)
    if not as_json and sys.stderr.isatty():
        sys.stderr.write("\n")
    value = {name: number for name, number in asdict(totals).items() if name != "faults"}
    output.show(value, as_json, *_sentences(totals))
    if totals.faults:
        named = "; ".join(totals.faults[:FAULTS_SHOWN])
        raise Damaged("simulation-broken", f"{len(totals.faults)} promises were broken: {named}")


@app.command(
    epilog=example("surefoot simulate world --worlds 50", "surefoot simulate world --seed 7 --faults power,kill")
)
def world(
    robots: Annotated[int, typer.Option("--robots", help="How many robots live in a world.", min=1)] = 100,
    seed: Annotated[int, typer.Option("--seed", help="What all chance follows from.", min=0)] = 1,
    worlds: Annotated[
        int, typer.Option("--worlds", help="How many worlds, of this seed and those after it.", min=1)
    ] = 1,
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            help="What may strike, of loss, delay, double, reorder, split, clock, power, firmware, download, kill.",
        ),
    ] = "all",
    processes: Annotated[
        int, typer.Option("--processes", help="How many processes share the worlds.", show_default="one a core", min=0)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Let robots and their fleet live through hours of trouble in virtual time, then heal everything and compare.

    Promises are checked at every write of the server and at everything a robot says or suffers. The same seed is the
    same world again: a failure prints its seed and the trace of what led to it.
    """
    from surefoot.sim.worlds import run_worlds

    kinds = _kinds(faults)
    totals = run_worlds(seed, worlds, robots, kinds, processes=processes or None, show=None if as_json else _progress)
    if not as_json and sys.stderr.isatty():
        sys.stderr.write("\n")
    value = {name: number for name, number in asdict(totals).items() if name != "stories"}
    output.show(value, as_json, *_world_sentences(totals))
    for told, story in totals.stories.items():
        sys.stderr.write("\n".join([f"The story of seed {told}:", *story, ""]))
        break
    if totals.broken:
        named = "; ".join(totals.broken[:PROMISES_SHOWN])
        raise Damaged("simulation-broken", f"{len(totals.broken)} promises were broken: {named}")


@app.command(
    epilog=example(
        "surefoot simulate rollout --robots 1000", "surefoot simulate rollout --scenario examples/rollouts/bricks.yaml"
    )
)
def rollout(
    robots: Annotated[int, typer.Option("--robots", help="How many robots the fleet has.", min=10)] = 100,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="What goes wrong; nothing without one.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="The rollout's plan; the fleet strategy without one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a whole rollout in virtual time, on the real engine, and say when each phase opened or who halted it and why.

    Robots are called robot-00001 and so on. They report, update and tell of their health as real ones do; at the end,
    the fleet's record of each is compared with what it truly runs.
    """
    from surefoot.cli.rollout_plan import read_plan
    from surefoot.rollout.plan import default_plan
    from surefoot.sim.rollout_scenario import Scenario, scenario_from_yaml
    from surefoot.sim.rollout_world import robot_ids, run_rollout

    planted = Scenario() if scenario is None else scenario_from_yaml(read_file(scenario), str(scenario))
    wanted = read_plan(plan) if plan is not None else default_plan(robot_ids(min(planted.internal, robots)))
    is_watched = sys.stderr.isatty() and not as_json
    story = run_rollout(planted, wanted, robots, show_progress if is_watched else None)
    if is_watched:
        show_progress(0.0, "")
    show_story(planted, story, as_json)
    if story.differing:
        named = ", ".join(story.differing[:PROMISES_SHOWN])
        raise Damaged("simulation-broken", f"{len(story.differing)} records differ from their robot: {named}.")


def _kinds(names: str) -> "tuple[Fault, ...]":
    from surefoot.sim.faults import Fault

    try:
        chosen = {Fault(name.strip()) for name in names.split(",")} if names != "all" else set(Fault)
    except ValueError as error:
        raise typer.BadParameter(f"{error}: name some of {', '.join(Fault)}", param_hint="--faults") from error
    return tuple(kind for kind in Fault if kind in chosen)


def _world_sentences(totals: "WorldTotals") -> list[str]:
    struck = ", ".join(f"{kind} {count}" for kind, count in totals.faults.items())
    return [
        f"{totals.worlds} worlds with {totals.robots} robots and {totals.events} events in {totals.seconds:g} s.",
        f"Faults: {struck}.",
        f"Records that differ from their robot: {totals.divergent}. Promises broken: {len(totals.broken)}.",
    ]


def _sentences(totals: "Totals") -> list[str]:
    counted = f"{totals.points} with one cut, {totals.pairs} with a second one in the recovery"
    broken = f"Records that differ from their robot: {totals.divergent}. Moments without an image to boot"
    return [
        f"{totals.worlds} worlds on {totals.geometries} flash geometries in {totals.seconds:g} s: {counted}.",
        f"{broken}: {totals.unbootable}.",
    ]


def _progress(done: int, planned: int) -> None:
    """Draw a bar on a terminal; say nothing where nobody watches."""
    if sys.stderr.isatty():
        width = 40 * done // max(1, planned)
        sys.stderr.write(f"\r[{'#' * width}{'.' * (40 - width)}] {done} of {planned} worlds")
        sys.stderr.flush()
