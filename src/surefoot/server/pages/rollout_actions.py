"""What a person can do about a rollout, and what each would do to how many robots, said before it is done."""

from collections.abc import Callable
from dataclasses import dataclass

from surefoot.fleet.model import RolloutState
from surefoot.server.operators.permissions import Permission
from surefoot.server.pages.rollout_view import RolloutView
from surefoot.server.pages.words import number, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A change as a page offers it; `effects` says what it does to how many robots, `sums_up` so on the button.

    With `asks_more` a person may have robots led back, and the release recalled, in the same breath.
    """

    word: str
    permission: Permission
    button: str
    tone: str
    needs_reason: bool
    effects: Callable[[RolloutView], list[str]]
    sums_up: Callable[[RolloutView], str]
    asks_more: bool = False


def _pause(view: RolloutView) -> list[str]:
    return [
        f"{plural(view.unreached)} not offered {view.release.version} yet: no offer until somebody resumes.",
        f"{plural(_updating(view))} updating now: the update goes on to its end.",
        f"{plural(view.running)} with it installed: nothing changes.",
    ]


def _resume(view: RolloutView) -> list[str]:
    found = [
        f"Phase {view.phase.name} goes on, and its soak begins anew.",
        f"{plural(view.unreached)} not offered {view.release.version} yet: offers as their phases open.",
        f"At most {number(view.rollout.plan.capacity)} update at once.",
    ]
    if view.rollout.state is RolloutState.HALTED:
        found.append("The failures there are count as accepted: the next one halts the rollout again.")
    return found


def _halt(view: RolloutView) -> list[str]:
    return [
        f"{plural(view.unreached)} not offered {view.release.version} yet: no offer.",
        f"{plural(_updating(view))} updating now: told to stop where that is still possible.",
        f"{plural(view.running)} with it installed: nothing changes, unless you say so below.",
        "An incident opens, and only a person resumes.",
    ]


def _lead_back(view: RolloutView) -> list[str]:
    return [
        f"{plural(view.running)} with {view.release.version} installed: offered what they ran before, when they ask.",
        "A rollout of its own leads them; it is paused if this one is resumed.",
    ]


def _approve(view: RolloutView) -> list[str]:
    phase = view.unapproved
    if phase is None:
        return ["No phase waits for an approval."]
    return [f"Phase {phase.name} may open once the phases before it have passed: {plural(phase.robots or 0)} more."]


def _no_offer(view: RolloutView) -> str:
    return f"no offer to {plural(view.unreached)}"


def _stops(view: RolloutView) -> str:
    """Return what a halt does to whom; where all have their offer, those who update are who it is for."""
    updating = _updating(view)
    stopped = f"stop {plural(updating)}"
    if not updating:
        return _no_offer(view)
    return f"{_no_offer(view)}, {stopped}" if view.unreached else stopped


def _offers(view: RolloutView) -> str:
    return f"offers to {plural(view.unreached)}"


def _back(view: RolloutView) -> str:
    return plural(view.running)


def _more(view: RolloutView) -> str:
    phase = view.unapproved
    return "nothing waits" if phase is None else f"{plural(phase.robots or 0)} more"


def _updating(view: RolloutView) -> int:
    return 0 if view.counts is None else view.counts.open


def _action(
    word: str,
    tone: str,
    effects: Callable[[RolloutView], list[str]],
    sums_up: Callable[[RolloutView], str],
    *,
    needs_reason: bool = True,
    asks_more: bool = False,
) -> Action:
    return Action(
        word=word,
        permission=Permission.APPROVE if word == "approve" else Permission.OPERATE,
        button=word.capitalize().replace("-", " "),
        tone=tone,
        needs_reason=needs_reason,
        effects=effects,
        sums_up=sums_up,
        asks_more=asks_more,
    )


LEAD_BACK = "lead-back"
ACTIONS = {
    action.word: action
    for action in (
        _action("approve", "main", _approve, _more),
        _action("resume", "main", _resume, _offers),
        _action("pause", "main", _pause, _no_offer, needs_reason=False),
        _action("halt", "bad", _halt, _stops, asks_more=True),
        _action(LEAD_BACK, "bad", _lead_back, _back),
    )
}
_BY_STATE = {
    RolloutState.RUNNING: ("approve", "pause", "halt"),
    RolloutState.PAUSED: ("approve", "resume", "halt"),
    RolloutState.HALTED: ("resume", LEAD_BACK),
    RolloutState.FINISHED: ("halt",),
}
# What the rollout's page says behind a change, by the word in its address.
DONE = {
    "started": "The rollout has started.",
    "pause": "The rollout is paused.",
    "resume": "The rollout goes on.",
    "halt": "The rollout is halted, and an incident is open.",
    LEAD_BACK: "The incident tells who is led back, and by which rollout.",
    "approve": "The next phase is approved.",
}


def actions_for(view: RolloutView) -> list[Action]:
    """Return what can be done to a rollout as it stands."""
    return [ACTIONS[word] for word in _BY_STATE[view.rollout.state] if _is_open(view, word)]


def _is_open(view: RolloutView, word: str) -> bool:
    if word == "approve":
        return view.unapproved is not None
    if word == LEAD_BACK:
        return view.rollout.rolls_back is None and view.way_back_id is None and view.running > 0
    return True
