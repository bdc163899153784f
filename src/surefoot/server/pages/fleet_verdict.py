"""The fleet in one sentence: what somebody woken at night reads first, and what the browser's tab says."""

from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.fleet.model import RolloutState, Status
from surefoot.server.pages.fleet_counts import FleetCounts
from surefoot.server.pages.incidents import IncidentLine
from surefoot.server.pages.rollout_lines import RolloutLine
from surefoot.server.pages.words import BAD, BUSY, CAREFUL, GOOD, STATUS, number, plural

LINKED_MAX = 3
# Where robots stand that somebody should look at, the worst first.
LOOKED_AT = (Status.ROLLED_BACK, Status.REFUSED, Status.DRIFTED, Status.SILENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The sentence with its tone; `links` are addresses and names of what it is about.

    `tab` is what the browser's tab says before the page's name, "" where nothing needs anybody.
    """

    tone: str
    sentence: str
    tab: str = ""
    links: tuple[tuple[str, str], ...] = ()


def verdict(
    counts: FleetCounts | None, rollouts: Sequence[RolloutLine], incidents: Sequence[IncidentLine]
) -> Verdict | None:
    """Return the sentence, None while nothing is known that it could be about."""
    if counts is not None and not counts.robots and not rollouts and not incidents:
        return None
    if incidents:
        found = plural(len(incidents), "incident")
        links = [(f"/incidents/{line.incident.incident_id}", f"Incident of {line.about}") for line in incidents]
        sentence = f"{found} {_is(len(incidents))} open."
        return Verdict(tone=BAD, sentence=sentence, tab=f"{found} open", links=tuple(links[:LINKED_MAX]))
    for state, tone in ((RolloutState.HALTED, BAD), (RolloutState.PAUSED, CAREFUL)):
        stopped = [line for line in rollouts if line.rollout.state is state]
        if stopped:
            links = [(f"/rollouts/{line.rollout.rollout_id}", f"{line.version} for {line.sku}") for line in stopped]
            found = f"{plural(len(stopped), 'rollout')} {state.value}"
            sentence = f"{plural(len(stopped), 'rollout')} {_is(len(stopped))} {state.value}."
            return Verdict(tone=tone, sentence=sentence, tab=found, links=tuple(links[:LINKED_MAX]))
    under_way = f"{plural(len(rollouts), 'rollout')} under way" if rollouts else "no rollout under way"
    if counts is None:
        return Verdict(tone=BUSY, sentence=f"No incident is open, {under_way}; the robots are being counted.")
    odd = [(status, counts.statuses[status]) for status in LOOKED_AT if counts.statuses.get(status)]
    if odd:
        named = ", ".join(f"{number(count)} {STATUS[status].text}" for status, count in odd)
        count = sum(count for _, count in odd)
        links = [(f"/robots?status={status.value}", f"See who is {STATUS[status].text}") for status, _ in odd]
        sentence = f"Nothing is halted, {under_way}. Of {plural(counts.robots)}: {named}."
        return Verdict(tone=CAREFUL, sentence=sentence, tab=f"{plural(count)} to look at", links=tuple(links))
    return Verdict(tone=GOOD, sentence=f"All is well: nothing is halted, no incident is open, {under_way}.")


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
