"""Since when a rollout is watched: time in which no engine looked is no time in which nothing happened."""

from dataclasses import replace

from surefoot.fleet.model import Rollout

# Longer than this between two looks and the server was down: nobody could report, so nothing is concluded from it.
OUTAGE_S = 300.0


def is_unbroken(rollout: Rollout, now_s: float) -> bool:
    """Whether the engine looked lately: after an outage, or with a clock set back, time has passed unwatched."""
    return 0 <= now_s - rollout.looked_at_s <= OUTAGE_S


def watched(rollout: Rollout, now_s: float) -> Rollout:
    """Return the rollout as looked at now."""
    watched_since_s = rollout.watched_since_s if is_unbroken(rollout, now_s) else now_s
    return replace(rollout, looked_at_s=now_s, watched_since_s=watched_since_s)
