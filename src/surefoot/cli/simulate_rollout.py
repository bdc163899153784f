"""How `surefoot simulate rollout` shows the story of a simulated rollout."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from surefoot.cli import output

if TYPE_CHECKING:
    from surefoot.sim.rollout_scenario import Scenario
    from surefoot.sim.rollout_story import RolloutStory

LINE_CHARS = 100


def show_story(planted: "Scenario", story: "RolloutStory", as_json: bool) -> None:
    """Print when each phase opened, how it ended, and what became of the robots."""
    phases = [(phase.name, f"{phase.opened_h:.1f} h", f"{phase.lasted_h:.1f} h") for phase in story.phases]
    counts = ", ".join(f"{status} {count}" for status, count in story.statuses.items())
    speed = f"{story.virtual_s / 86400:.1f} days took {story.real_s:.1f} s."
    output.show(
        asdict(story) | {"seed": planted.seed},
        as_json,
        output.Table(("PHASE", "OPENED AFTER", "LASTED"), phases),
        "",
        *_ending(story),
        f"Robots at the end: {counts}. {story.led_back} were led back, {story.running_nothing} run nothing any more.",
        f"Records that equal their robot: {story.records_equal} of {story.robots}. {speed}",
    )


def _ending(story: "RolloutStory") -> list[str]:
    halt = story.halt
    if halt is None:
        stable = ", and its release is stable" if story.stable else ""
        return [f"The rollout is {story.state}{stable}."]
    whom = f"{halt.exposed} of {story.robots} robots had been offered the release, {halt.ran} ran it."
    effect = "" if halt.after_effect_h is None else f", {halt.after_effect_h:g} h after the first robot it harms ran it"
    who = "the gate" if halt.by == "gate" else f"the trigger {halt.by}"
    return [
        f"Halted by {who} after {halt.hours:g} h, in phase {halt.phase}{effect}. {whom}",
        f"Why: {halt.sentence}",
    ]


def show_progress(hours: float, reason: str) -> None:
    """Draw the line that says where the rollout stands, or at 0 hours wipe it away."""
    line = output.printable(f"day {hours / 24:.1f}: {reason}")[:LINE_CHARS] if hours else ""
    sys.stderr.write(f"\r{line:<{LINE_CHARS}}\r")
    sys.stderr.flush()
