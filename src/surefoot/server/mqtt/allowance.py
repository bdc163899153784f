"""How much of each robot is taken, in messages or in bytes: what floods the server is turned away before it is read.

Its first messages of a while count like any other's, so nobody can be made to look silent, and a burst of what a robot
kept while it was away fits in.

Time is given, in seconds of a clock that never steps.
"""


class Allowance:
    """Takes `most` of each robot, whatever that counts, within `period_s` seconds; these begin for all together."""

    def __init__(self, most: int, period_s: float) -> None:
        self._most = most
        self._period_s = period_s
        self._began_s = 0.0
        self._counts: dict[str, int] = {}

    def takes(self, robot_id: str, now_s: float, amount: int = 1) -> bool:
        """Count a message of this robot; return whether it is one of those that are taken."""
        if now_s - self._began_s >= self._period_s:
            self._began_s, self._counts = now_s, {}
        count = self._counts.get(robot_id, 0)
        self._counts[robot_id] = count = count + amount
        return count <= self._most

    def gives_back(self, robot_id: str) -> None:
        """Let a message that will be tried again not count."""
        self._counts[robot_id] = max(0, self._counts.get(robot_id, 0) - 1)
