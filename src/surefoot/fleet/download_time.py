"""How long a robot's download took, from what the fleet hears of it.

A robot follows an offer at once, speaks of the download only when something holds it up, and says that it has the
image, checked, before it restarts. So a download counts from the last moment at which the robot was offered the image,
or said that it waits with nothing of it, until its first word that it has all of it: with its pauses and with the check
of what was written, exact but for the way of two messages. A robot whose word of that got lost speaks again after its
restart: when it had the image is not known, and it does not count. Nor does a way back to an image that was there yet.

A device made for AWS IoT Jobs says when it begins to receive, and never how much it has: it counts from that word.
"""

from dataclasses import replace

from surefoot.fleet.model import Assignment
from surefoot.wire.report import DOWNLOADING, STAGED, VERIFYING, AssignmentReport

_HAS_IT = (VERIFYING, STAGED)


def with_download_time(
    assignment: Assignment,
    before: AssignmentReport | None,
    said: AssignmentReport | None,
    now_s: float,
    *,
    is_offered: bool,
) -> Assignment:
    """Return the assignment with what the robot's word of this moment tells of its download.

    Args:
        assignment: The robot's newest one.
        before: What its report before this one said of an assignment, this one or another.
        said: What this report says.
        now_s: Unix seconds.
        is_offered: Whether the answer offers the image.
    """
    if assignment.download_s is not None:
        return assignment
    said, since_s = _about(assignment, said), assignment.downloading_since_s
    if said is not None and said.state in _HAS_IT:
        was_there = assignment.rollback and not said.received_bytes
        # A clock that was set back meanwhile measures nothing.
        if since_s is None or now_s < since_s or was_there:
            return assignment
        return replace(assignment, download_s=now_s - since_s)
    is_amid = said is not None and said.state == DOWNLOADING
    if (is_offered and not is_amid) or _has_nothing(_about(assignment, before), said):
        return replace(assignment, downloading_since_s=now_s)
    return assignment


def _about(assignment: Assignment, said: AssignmentReport | None) -> AssignmentReport | None:
    return said if said is not None and said.id == assignment.assignment_id else None


def _has_nothing(before: AssignmentReport | None, said: AssignmentReport | None) -> bool:
    """Whether the robot is to download and has nothing yet: it begins with this word, or is held up."""
    if said is None or said.state != DOWNLOADING or said.received_bytes:
        return False
    return said.code is not None or before is None or before.state != DOWNLOADING
