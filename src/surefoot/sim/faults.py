"""What can go wrong in a world: kinds of faults, each with dice of its own that follow from the seed."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum


class Fault(StrEnum):
    """A kind of fault.

    `loss`: a request or an answer never arrives. `delay`: a request arrives late, perhaps after its sender gave up.
    `double`: it arrives twice. `reorder`: a copy of an old one arrives after newer ones. `split`: some robots cannot
    reach the server for a while. `clock`: the server's clock steps. `power`: a robot loses power, mostly in the middle
    of a flash operation. `firmware`: a release fails its self-test, or crashes, on some robots. `download`: an image
    arrives damaged or not whole. `kill`: the server dies between two statements, or before it can answer.
    """

    LOSS = "loss"
    DELAY = "delay"
    DOUBLE = "double"
    REORDER = "reorder"
    SPLIT = "split"
    CLOCK = "clock"
    POWER = "power"
    FIRMWARE = "firmware"
    DOWNLOAD = "download"
    KILL = "kill"


class Faults:
    """The dice of one world, and the count of what they did.

    Args:
        seed: What all chance follows from.
        kinds: The kinds that can strike.
        tell: Gets who was struck and a line about it, for the trace.
    """

    def __init__(self, seed: int, kinds: Iterable[Fault], tell: Callable[[str, str], None]) -> None:
        self.injected: Counter[Fault] = Counter()
        self.healed = False
        self._kinds = frozenset(kinds)
        self._tell = tell
        # A stream for each kind: leaving one out does not change when the others strike.
        self.dice = {kind: random.Random(f"{seed}/{kind}") for kind in Fault}

    def strikes(self, kind: Fault, probability: float) -> bool:
        """Throw the dice of a kind: never, once the world is healed."""
        return not self.healed and kind in self._kinds and self.dice[kind].random() < probability

    def inject(self, kind: Fault, who: str, what: str) -> None:
        """Count a fault and tell it."""
        self.injected[kind] += 1
        self._tell(who, f"{kind}: {what}")
