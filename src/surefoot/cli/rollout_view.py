"""How a rollout under way looks: its phases as a track, its robots as a bar, who waits and why, and when it may end."""

from typing import TYPE_CHECKING, Any

from surefoot.cli import output
from surefoot.cli.output import printable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_STATE_STYLES = {"running": "blue", "paused": "yellow", "halted": "red", "finished": "green"}
_DONE, _TODO = "━", "─"
_BAR_CHARS_MAX = 60
_PHASES_SHOWN = 6
_NAMES_CHARS_MAX = 32
_GROUPS_SHOWN = 8


def view(rollout: dict[str, Any], waiting: dict[str, Any], now_s: float, width: int, trouble: str = "") -> "Group":
    """Return the live view; `trouble` is why it may be out of date."""
    from rich.console import Group
    from rich.text import Text

    state = rollout["state"]
    title = Text.assemble(
        (f"{rollout['version']} to {rollout['sku']}", "bold"),
        "  ",
        (state, _STATE_STYLES.get(state, "")),
        (f"  rollout {rollout['rollout_id']}", "dim"),
    )
    parts: list[Any] = [title, "", _track(rollout, width), "", Text(printable(rollout["reason"])), ""]
    if (sentence := gate_sentence(rollout)) is not None:
        parts[-1:] = [Text(f"Gates: {printable(sentence)}"), ""]
    parts += [_bar(rollout, waiting, width), _legend(rollout), ""]
    if waiting["groups"]:
        parts += [_groups(waiting), ""]
    parts += [Text(line, "dim") for line in beside_lines(rollout)]
    if rollout["earliest_end_s"] is not None:
        end_s = rollout["earliest_end_s"]
        ends = f"Ends {output.time_text(end_s)} at the earliest, in {output.span_text(end_s - now_s)}."
        parts.append(Text(ends, "dim"))
    if trouble:
        parts.append(Text(printable(trouble), "yellow"))
    return Group(*parts)


def gate_sentence(rollout: dict[str, Any]) -> str | None:
    """Return what the gates of a rollout under way say, None where the reason says it already or nothing is gated."""
    gates: dict[str, Any] | None = rollout.get("gates")
    if gates is None or rollout["state"] not in ("running", "paused") or gates["sentence"] in rollout["reason"]:
        return None
    return str(gates["sentence"])


def beside_lines(rollout: dict[str, Any]) -> list[str]:
    """Return a sentence for each other rollout of the sku that may have robots: the newest open door wins."""
    return [
        printable(f"Beside it: rollout {other['rollout_id']}, {other['version']}, {other['state']}. {other['meaning']}")
        for other in rollout.get("beside") or ()
        if other["is_newer"] or other["state"] == "running"
    ]


def line_of(rollout: dict[str, Any], waiting: dict[str, Any]) -> str:
    """Return where a rollout stands as one line, for whoever pipes it."""
    counts = ", ".join(f"{count} {status}" for status, count in rollout["counts"].items()) or "nobody yet"
    groups = ", ".join(f"{group['robots']} {group['code']}" for group in waiting["groups"])
    waits = f"; waiting: {groups}" if groups else ""
    return printable(f"{rollout['state']}, phase {rollout['phase_name']}: {rollout['reason']} ({counts}{waits})")


def _track(rollout: dict[str, Any], width: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    phases, current = rollout["plan"]["phases"], rollout["phase"]
    first = max(0, min(current - 2, len(phases) - _PHASES_SHOWN))
    shown = list(enumerate(phases))[first : first + _PHASES_SHOWN]
    cells = max(6, min(24, (width - 2) // len(shown) - 2))
    grid = Table.grid(padding=(0, 2))
    for _ in shown:
        grid.add_column(width=cells, overflow="fold")
    grid.add_row(*(_phase_name(phase, is_open=index == current) for index, phase in shown))
    grid.add_row(*(_phase_bar(rollout, index, phase, cells) for index, phase in shown))
    grid.add_row(*(Text(_phase_note(rollout, index, phase), "dim") for index, phase in shown))
    return grid


def _phase_bar(rollout: dict[str, Any], index: int, phase: dict[str, Any], cells: int) -> "Text":
    from rich.text import Text

    if index < rollout["phase"] or rollout["state"] == "finished":
        return Text(_DONE * cells, "green")
    if index > rollout["phase"]:
        return Text(_TODO * cells, "dim")
    share = min(1.0, rollout["soaked_s"] / phase["soak_s"]) if phase["soak_s"] else 0.0
    done = int(share * cells)
    return Text.assemble((_DONE * done, _STATE_STYLES[rollout["state"]]), (_TODO * (cells - done), "dim"))


def _phase_name(phase: dict[str, Any], *, is_open: bool) -> "Text":
    from rich.text import Text

    who = f"{len(phase['robots'])} named" if phase["robots"] else f"{phase['percent']:g} %"
    return Text.assemble((phase["name"], "bold" if is_open else ""), " ", (who, "dim"))


def _phase_note(rollout: dict[str, Any], index: int, phase: dict[str, Any]) -> str:
    if index < rollout["phase"] or rollout["state"] == "finished":
        return "passed"
    if index == rollout["phase"]:
        return f"{output.span_text(rollout['soaked_s'])} of {output.span_text(phase['soak_s'])}"
    soak = output.duration_text(phase["soak_s"])
    if not phase["approval"]:
        return soak
    approved = {approval["phase"]: approval["approved_by"] for approval in rollout["approvals"]}
    return f"{soak}, approved by {printable(approved[index])}" if index in approved else f"{soak}, needs approval"


def _bar(rollout: dict[str, Any], waiting: dict[str, Any], width: int) -> "Text":
    """Return one bar for all robots: those with the release or on their way, and those that wait."""
    from rich.text import Text

    offered, waits = sum(rollout["counts"].values()), waiting["without_offer"]
    whole, cells, bar = max(1, offered + waits), min(_BAR_CHARS_MAX, width - 24), Text()
    reached = 0
    for status, count in rollout["counts"].items():
        reached += count
        # Rounded sums, so that the parts fill the bar exactly.
        bar.append(_DONE * (round(reached / whole * cells) - len(bar)), output.STYLES.get(status, "blue"))
    bar.append(_TODO * (cells - len(bar)), "dim")
    more = "" if waiting["is_complete"] else " or more"
    return bar.append(f" {offered} of {offered + waits}{more} offered", "dim")


def _legend(rollout: dict[str, Any]) -> "Text":
    from rich.text import Text

    text = Text()
    for status, count in rollout["counts"].items():
        text.append(f"{status} ", output.STYLES.get(status, "blue")).append(f"{count}   ")
    return text if text else Text("No robot has been offered it yet.", "dim")


def _groups(waiting: dict[str, Any]) -> "Group":
    from rich.console import Group
    from rich.text import Text

    shown = waiting["groups"][:_GROUPS_SHOWN]
    names = [_names(group) for group in shown]
    count_chars, code_chars = (max(len(str(group[key])) for group in shown) for key in ("robots", "code"))
    name_chars = max(map(len, names))
    lines = []
    for group, who in zip(shown, names, strict=True):
        start = f"{group['robots']:>{count_chars}}  {group['code']:<{code_chars}}  {who:<{name_chars}}  "
        why = (printable(group["why"]), "dim")
        lines.append(Text.assemble(printable(start), why, no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def _names(group: dict[str, Any]) -> str:
    names = ", ".join(group["robot_ids"]) + (", …" if group["robots"] > len(group["robot_ids"]) else "")
    return names if len(names) <= _NAMES_CHARS_MAX else f"{names[: _NAMES_CHARS_MAX - 1]}…"
