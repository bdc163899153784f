"""Keeps the broker's files as the fleet's rows are, cuts off who lost a credential, and clears what the revoked left.

A robot is cut off more than once: who had a connection with its handshake done, but has said nothing yet, is let in
without another look at its certificate. The broker waits a minute and a half for the first word.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from surefoot.fleet.broker_access import BrokerAccess, EndedCredential, broker_access, newest_changes
from surefoot.fleet.enrolment import is_revoked
from surefoot.fleet.ports import Rows, Store
from surefoot.server.mqtt.broker_access import BrokerFiles
from surefoot.server.outage import Outage
from surefoot.wire.errors import Interrupted, SurefootError

LOOK_EVERY_S = 1.0
# A broker that runs and answers nobody is no better than one that died.
ASK_EVERY_S = 15.0
UNANSWERED_MAX = 3
# Nobody's client id: a robot's has no slash.
NOBODY = "surefoot/watch"
CUTS_AFTER_S = (0.0, 10.0, 120.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A robot whose connection is to end at this time (Unix seconds)."""

    robot_id: str
    due_at_s: float


class BrokerWatch:
    """Follows the rows; `begin` before the broker starts, then `look` again and again.

    Args:
        store: Where the rows are.
        files: Writes the broker's files.
        reload: Makes the broker read them; False when it does not run.
        cut: Ends the connection of one robot; raises when the broker does not answer.
        clear: Takes away what the broker retains of a robot, and returns how much that was; raises like `cut`.
        kill: Ends the broker; it is started again.
        now_s: The time, in Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        files: BrokerFiles,
        reload: Callable[[], bool],
        cut: Callable[[str], None],
        clear: Callable[[str], int],
        kill: Callable[[], None],
        now_s: Callable[[], float],
    ) -> None:
        self._store = store
        self._files = files
        self._reload = reload
        self._cut = cut
        self._clear = clear
        self._kill = kill
        self._now_s = now_s
        self._seen = ("", "")
        self._known: frozenset[str] = frozenset()
        self._unread = False
        self._cuts: list[Cut] = []
        self._ask_at_s = now_s() + ASK_EVERY_S
        self._unanswered = 0

    def begin(self) -> None:
        """Write the files as the rows are now; raises what the store raises."""
        self._take(*self._store.read(_read))
        # The broker reads them when it starts.
        self._unread = False

    def run(self, stopping: threading.Event) -> None:
        """Look every second until it is time to stop."""
        outage = Outage(log, "broker-access-late")
        while not stopping.wait(LOOK_EVERY_S):
            try:
                self.look()
                self.ask()
            except (SurefootError, OSError) as error:
                # What it could not do now it does at the next look.
                outage.met(error)
            else:
                outage.over()

    def look(self) -> None:
        """Write what changed, have the broker read it, and cut off whose time has come."""
        if self._store.read(newest_changes) != self._seen:
            now_s = self._now_s()
            for row in self._take(*self._store.read(_read)):
                self._cuts += [Cut(robot_id=row.robot_id, due_at_s=now_s + after_s) for after_s in CUTS_AFTER_S]
        if self._unread and self._reload():
            self._unread = False
        if not self._unread:
            self._cut_due()

    def ask(self) -> None:
        """Ask the broker now and then whether it still answers, and end it when it has not for long.

        The server's own certificate there is renewed in time for that, and the broker reads its own anew when it has
        another one.
        """
        now_s = self._now_s()
        if now_s < self._ask_at_s:
            return
        self._ask_at_s = now_s + ASK_EVERY_S
        self._files.renew_identity(datetime.fromtimestamp(now_s, UTC))
        self._unread = self._files.broker_certificate.changed() or self._unread
        try:
            self._cut(NOBODY)
        except Interrupted:
            self._unanswered += 1
        else:
            self._unanswered = 0
        if self._unanswered >= UNANSWERED_MAX:
            log.error("broker-stuck unanswered=%d", self._unanswered)
            self._unanswered = 0
            self._kill()

    def _take(self, seen: tuple[str, str], access: BrokerAccess) -> list[EndedCredential]:
        self._files.write_access(access, datetime.fromtimestamp(self._now_s(), UTC))
        fresh = [row for row in access.ended if row.credential_sha256 not in self._known]
        self._known = frozenset(row.credential_sha256 for row in access.ended)
        self._seen, self._unread = seen, True
        return fresh

    def _cut_due(self) -> None:
        now_s = self._now_s()
        due = {cut.robot_id for cut in self._cuts if cut.due_at_s <= now_s}
        for robot_id in sorted(due):
            self._cut(robot_id)
        # Where clearing fails, everybody is cut off already.
        for robot_id in sorted(due):
            # Who enrolled anew may be back, and its words are good.
            is_gone = self._store.read(lambda rows, robot_id=robot_id: is_revoked(rows, robot_id))  # type: ignore[misc]
            log.info("broker-cut robot_id=%s cleared=%d", robot_id, self._clear(robot_id) if is_gone else 0)
        self._cuts = [cut for cut in self._cuts if cut.due_at_s > now_s]


def _read(rows: Rows) -> tuple[tuple[str, str], BrokerAccess]:
    return newest_changes(rows), broker_access(rows)
