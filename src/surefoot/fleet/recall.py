"""Recall: a release is taken back. Nobody is offered it or served its file again, and who runs it may be led back."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from surefoot.fleet.deltas import files_of
from surefoot.fleet.incidents import LineKind, add_line, open_incident_of
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.outbox import OutboxKind, enqueue
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, note_change
from surefoot.fleet.rollouts import OPERATOR, Purpose, halt_rollout, require_reason, start_rollout
from surefoot.fleet.way_back import newest_below, way_back_of
from surefoot.fleet.webhooks import Event, announce
from surefoot.rollout.plan import Phase, Plan, one_robot_plan
from surefoot.wire.errors import Refused
from surefoot.wire.limits import INTEGER_MAX

# On the way back nobody is left behind because another one failed.
BACK_PLAN = Plan(phases=(Phase(name="back", percent=100, soak_s=0),), failures_max=INTEGER_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A release that was taken back, the rollouts that halted with it, and the one that leads its robots back."""

    release: Release
    halted: tuple[Rollout, ...]
    way_back: Rollout | None


def recall_release(
    rows: Rows,
    release_id: str,
    reason: str,
    now_s: float,
    *,
    public_url: str,
    who: str = OPERATOR,
    new_salt: Callable[[], bytes],
    roll_back: bool = False,
) -> Recalled:
    """Take a release back; again it changes nothing, but may still ask for the way back.

    Args:
        rows: The transaction's rows.
        release_id: The release.
        reason: Why.
        now_s: Unix seconds.
        public_url: Where its files were served, for whoever keeps copies of them.
        who: Who wants it.
        new_salt: Makes the random bytes of a new rollout.
        roll_back: Whether robots that run it are led back to what they ran before.

    Raises:
        Refused: `not-found-release`, `refused-reason-missing`, `refused-no-way-back` when there is no release of the
            sku below it; then nothing is recalled.
    """
    require_reason(reason)
    release = rows.get(Release, release_id)
    if release is None:
        raise Refused("not-found-release", f"There is no release {release_id}: list the releases.")
    halted: tuple[Rollout, ...] = ()
    if release.recalled_at_s is None:
        release = replace(release, recalled_at_s=now_s, stable=False)
        rows.put(release)
        halted = _halt(rows, release, reason, who, now_s)
        urls = [f"{public_url}/v1/images/{file}" for file in (release.sha256, *files_of(rows, release_id))]
        body = json.dumps({"sha256": release.sha256, "urls": urls})
        enqueue(rows, f"{release_id}.purge", OutboxKind.CDN_PURGE, "", body, now_s)
        told = {"release_id": release_id, "sku": release.sku, "sha256": release.sha256, "reason": reason, "who": who}
        announce(rows, Event.RELEASE_RECALLED, f"{release_id}.recalled", told, now_s)
    way_back = lead_back(rows, release, who, new_salt, now_s) if roll_back else None
    # Whoever was on the way back to this very release needs another one.
    for rolled_back in dict.fromkeys(rollout.rolls_back for rollout in halted if roll_back):
        earlier = rows.get(Release, rolled_back or "")
        if earlier is not None:
            lead_back(rows, earlier, who, new_salt, now_s)
    return Recalled(release=release, halted=halted, way_back=way_back)


def _halt(rows: Rows, release: Release, reason: str, who: str, now_s: float) -> tuple[Rollout, ...]:
    """Halt the release's rollouts; where one is halted already, its incident tells of the recall."""
    halted = []
    for rollout in rows.find(Rollout, release_id=release.release_id):
        # What brought it to one robot and is done has nothing to stop.
        is_done = rollout.only_robot_id is not None and rollout.state is RolloutState.FINISHED
        if rollout.state is not RolloutState.HALTED and not is_done:
            halted.append(halt_rollout(rows, rollout.rollout_id, reason, now_s, who))
        incident = open_incident_of(rows, rollout.rollout_id)
        if incident is not None:
            add_line(rows, incident, LineKind.DECISION, who, f"Release {release.version} recalled: {reason}", now_s)
    return tuple(halted)


def lead_back(
    rows: Rows,
    release: Release,
    who: str,
    new_salt: Callable[[], bytes],
    now_s: float,
    only_robot_id: str | None = None,
) -> Rollout:
    """Start the rollout that leads robots back from a release, or let the one there is go on if that was paused.

    With `only_robot_id` it leads that robot alone: others run the release for reasons of their own.

    Raises:
        Refused: `refused-no-way-back` when there is no release of the sku below it.
    """
    known = way_back_of(rows, release, only_robot_id)
    if known is not None:
        return _go_on(rows, known, release, who, now_s)
    target = newest_below(rows, release)
    if target is None:
        below = f"release of {release.sku} below {release.version} to lead robots back to"
        detail = f"The fleet has no {below}: publish the one that they ran before, or leave the way back out."
        raise Refused("refused-no-way-back", detail)
    # Named after what it is for, so that the same order twice is one rollout.
    rollout_id = f"{release.release_id}-back-{len(rows.find(Rollout, rolls_back=release.release_id)) + 1}"
    plan = replace(BACK_PLAN, capacity=_capacity(rows, release))
    if only_robot_id is not None:
        plan = replace(plan, phases=one_robot_plan(only_robot_id, "back").phases)
    way_back = start_rollout(
        rows,
        target.release_id,
        plan,
        rollout_id,
        new_salt(),
        now_s,
        who=who,
        purpose=Purpose(rolls_back=release.release_id),
    )
    for rollout in rows.find(Rollout, release_id=release.release_id):
        incident = open_incident_of(rows, rollout.rollout_id)
        if incident is not None and only_robot_id in (None, rollout.only_robot_id):
            text = f"Robots that run {release.version} are led back by rollout {rollout_id}."
            add_line(rows, incident, LineKind.DECISION, who, text, now_s)
    return way_back


def _go_on(rows: Rows, way_back: Rollout, release: Release, who: str, now_s: float) -> Rollout:
    """Return the way back, no longer held as it was when somebody resumed the release's rollout."""
    if way_back.state is not RolloutState.PAUSED:
        return way_back
    reason = f"Robots that run {release.version} are led back again."
    again = replace(way_back, state=RolloutState.RUNNING, reason=reason)
    rows.put(again)
    note_change(rows, again, RolloutAction.RESUMED, who, now_s)
    return again


def _capacity(rows: Rows, release: Release) -> int:
    """Return how many robots may update at once: as many as the release's own rollouts allowed."""
    allowed = [rollout.plan.capacity for rollout in rows.find(Rollout, release_id=release.release_id)]
    return max(allowed, default=BACK_PLAN.capacity)
