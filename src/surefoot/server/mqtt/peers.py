"""The server's processes at one broker: who else is there, and which of them keeps which robot's diagnostics.

The broker hands each message of a shared subscription to one process, whichever. A robot's diagnostics make sense only
together: seconds, and when a stop began. So each robot has a keeper among the processes, the same one whoever asks
(highest hash wins), and the others pass its messages on, many in one. When a process comes or goes, only the robots
that it gains or loses change hands.

Time is given, in seconds of a clock that never steps.
"""

import hashlib
from collections.abc import Iterable

import msgspec

PREFIX = "surefoot/"
# Where processes say that they are there.
PEERS_TOPIC = "surefoot/peers"
# Where they ask each other about silent robots.
SILENCE_TOPIC = "surefoot/silence"
BEAT_S = 2.0
GONE_S = 6.0
# Messages passed on go out after this, or when there are so many bytes of them.
PASS_ON_S = 0.05
PASS_ON_BYTES = 64 * 1024


def share_topic(process_id: str) -> str:
    """Return where a process takes what others pass on to it."""
    return f"{PREFIX}share/{process_id}"


class Peers:
    """Which processes share the load, as one of them sees it.

    Args:
        process_id: Its own id.

    `others` tells when each of the other processes was seen last.
    """

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id
        self.others: dict[str, float] = {}
        self._keepers: dict[str, str] = {}

    def seen(self, process_id: str, now_s: float) -> bool:
        """Note that a process is there; return whether that is news."""
        is_new = process_id != self.process_id and process_id not in self.others
        if process_id != self.process_id:
            self.others[process_id] = now_s
        return self._changed(is_new)

    def left(self, process_id: str) -> bool:
        """Note that a process said good-bye; return whether that is news."""
        return self._changed(self.others.pop(process_id, None) is not None)

    def drop_gone(self, now_s: float) -> bool:
        """Count out those that were not seen for too long; return whether there were any."""
        gone = [process_id for process_id, seen_s in self.others.items() if now_s - seen_s > GONE_S]
        for process_id in gone:
            del self.others[process_id]
        return self._changed(bool(gone))

    def keeper_of(self, robot_id: str) -> str:
        """Return the process that keeps this robot."""
        if not self.others:
            return self.process_id
        keeper = self._keepers.get(robot_id)
        if keeper is None:
            keeper = max((self.process_id, *self.others), key=lambda process_id: _weight(process_id, robot_id))
            self._keepers[robot_id] = keeper
        return keeper

    def _changed(self, is_so: bool) -> bool:
        if is_so:
            self._keepers.clear()
        return is_so


class Parcel:
    """Messages that wait to be passed on to one process."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, bytes]] = []
        self.size_bytes = 0

    def add(self, robot_id: str, payload: bytes) -> None:
        """Put a message in."""
        self._messages.append((robot_id, payload))
        self.size_bytes += len(payload)

    def pack(self) -> bytes:
        """Return all messages as one."""
        return msgspec.msgpack.encode(self._messages)


_decoder = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


def unpack(parcel: bytes) -> Iterable[tuple[str, bytes]]:
    """Return the robot ids and payloads of a parcel; raise `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _decoder.decode(parcel)


def _weight(process_id: str, robot_id: str) -> bytes:
    return hashlib.blake2b(f"{process_id} {robot_id}".encode(), digest_size=8).digest()
