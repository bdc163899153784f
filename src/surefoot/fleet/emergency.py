"""What a halt by a trigger or a gate brings with it: the image taken back, and robots led back, as the plan says."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from surefoot.fleet.gate_view import gate_view
from surefoot.fleet.incidents import LineKind, add_line, open_incident_of
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.recall import lead_back, recall_release
from surefoot.fleet.rollout_history import ENGINE, RolloutAction, note_change
from surefoot.rollout.evidence import weighed
from surefoot.wire.errors import Refused

SALT_BYTES = 16
FINDINGS_TOLD_MAX = 5


def take_back(rows: Rows, rollout: Rollout, now_s: float, public_url: str) -> None:
    """Do what the plan of a rollout that just halted wants done, in the transaction of the halt.

    Robots that went back by themselves do not run the release any more, so nothing leads them back again.
    """
    for fact in _evidence(rows, rollout):
        _tell(rows, rollout, fact, now_s)
    release = rows.get(Release, rollout.release_id)
    if release is None:
        return
    if rollout.plan.recall_on_halt:
        recall_release(
            rows, release.release_id, rollout.reason, now_s, public_url=public_url, who=ENGINE, new_salt=_salt(rollout)
        )
        release = rows.get(Release, rollout.release_id) or release
    if rollout.plan.rollback_on_halt:
        try:
            way_back = lead_back(rows, release, ENGINE, _salt(rollout), now_s)
        except Refused as error:
            # The halt stands, whether or not there is anything to go back to.
            _tell(rows, rollout, error.message, now_s)
            return
        _go_on(rows, way_back, rollout, now_s)


def _go_on(rows: Rows, way_back: Rollout, halted: Rollout, now_s: float) -> None:
    """Let the way back go on that was held when the rollout was resumed."""
    if way_back.state is RolloutState.PAUSED:
        again = replace(way_back, state=RolloutState.RUNNING, reason=f"Rollout {halted.rollout_id} halted again.")
        rows.put(again)
        note_change(rows, again, RolloutAction.RESUMED, ENGINE, now_s)


def _evidence(rows: Rows, rollout: Rollout) -> list[str]:
    """Return the alarms that nobody has accepted, and what speaks most against the release."""
    view = gate_view(rows, rollout.rollout_id)
    if view is None:
        return []
    against = [found for found in view.metrics if found.log_evidence > 0][:FINDINGS_TOLD_MAX]
    alarms = [alarm.sentence for alarm in view.alarms if alarm.is_open][:FINDINGS_TOLD_MAX]
    return [*alarms, *(f"{found.fact}: {weighed(found.log_evidence)}." for found in against)]


def _tell(rows: Rows, rollout: Rollout, text: str, now_s: float) -> None:
    incident = open_incident_of(rows, rollout.rollout_id)
    if incident is not None:
        add_line(rows, incident, LineKind.FACT, ENGINE, text, now_s)


def _salt(rollout: Rollout) -> Callable[[], bytes]:
    # Drawn from the rollout's own, so that a halt that was lost and is made again is the same halt.
    return lambda: sha256(b"back" + rollout.salt).digest()[:SALT_BYTES]
