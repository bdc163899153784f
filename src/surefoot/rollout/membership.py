"""Who belongs to which percentage of the fleet.

u = HMAC-SHA-256(rollout salt, robot id) as a number in [0, 1): random over robots, fixed for one rollout, needing no
rows, and monotonic, because whoever is below 10 % is below 50 %.
"""

import hashlib
import hmac

from surefoot.rollout.plan import Phase, Plan


def position(salt: bytes, robot_id: str) -> float:
    """Return the robot's place in the rollout's random order, in [0, 1)."""
    first = hmac.digest(salt, robot_id.encode("utf-8"), hashlib.sha256)[:8]
    # 53 bits are what a float holds exactly; more could round up to 1.0.
    return (int.from_bytes(first, "big") >> 11) / 2**53


def belongs(phase: Phase, salt: bytes, robot_id: str) -> bool:
    """Whether the phase reaches the robot."""
    return robot_id in phase.robots or position(salt, robot_id) * 100 < phase.percent


def phase_of(plan: Plan, salt: bytes, robot_id: str) -> int:
    """Return the index of the first phase that reaches the robot, behind the last one where none does."""
    percent = position(salt, robot_id) * 100
    reaching = (index for index, phase in enumerate(plan.phases) if robot_id in phase.robots or percent < phase.percent)
    return next(reaching, len(plan.phases))
