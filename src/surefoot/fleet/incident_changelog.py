"""The entry of `CHANGELOG.md` that tells of an incident, as Markdown."""

from collections.abc import Sequence
from datetime import UTC, datetime

from surefoot.fleet.incidents import Incident, LineKind, TimelineLine, Whereabouts
from surefoot.fleet.model import Release


def changelog_entry(
    incident: Incident, release: Release, lines: Sequence[TimelineLine], whereabouts: Whereabouts
) -> str:
    """Return the entry: what happened, what became of the robots, and the decisions in order."""
    back, not_back, silent = (len(ids) for ids in (whereabouts.back, whereabouts.not_back, whereabouts.silent))
    robots = back + not_back + silent
    ran = "1 robot ran it" if robots == 1 else f"{robots} robots ran it"
    opened = datetime.fromtimestamp(incident.opened_at_s, UTC)
    told = [
        f"- Rollout {incident.rollout_id} was halted by {_words(incident.opened_by)}: {_words(incident.reason)}",
        f"- {ran}: {_are(back)} back on another image, {_are(not_back)} not, {_are(silent)} silent.",
    ]
    decisions = [
        f"- {_time(line.at_s)}, {_words(line.who)}: {_words(line.text)}"
        for line in lines
        if line.kind is LineKind.DECISION
    ]
    # The close is the last of the decisions.
    ended = ["- The incident is open."] if incident.is_open else []
    title = f"### Incident of {opened:%Y-%m-%d}: {release.sku} {release.version} was halted"
    return "\n".join([title, "", *told, *decisions, *ended, ""])


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _words(text: str) -> str:
    """Return a person's words on one line, without what Markdown would take for markup."""
    line = " ".join(text.split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>#|" else char for char in line)
