"""Who is online, and who of them went silent: a robot that is online and sends no diagnostics any more is not fine."""

from dataclasses import replace

from msgspec.structs import replace as altered

from surefoot.fleet.health import health_of, silence
from surefoot.fleet.ports import Rows


def take_online(rows: Rows, robot_id: str, online: bool, now_s: float) -> None:
    """Keep that a robot came online or went offline; one that the fleet does not know is nobody."""
    health = health_of(rows, robot_id, now_s)
    if health is None or online == (health.signs.online_since_s is not None):
        return
    rows.put(replace(health, signs=altered(health.signs, online_since_s=now_s if online else None)))


def take_silence(rows: Rows, robot_id: str, silent_since_s: float | None, now_s: float) -> None:
    """Keep that a robot has sent no diagnostics since `silent_since_s`; None says that it speaks again.

    Counted is the silence of a robot that is online and has spoken before: one that is offline is merely away, and one
    that never sent diagnostics has nothing that could fall silent.
    """
    health = health_of(rows, robot_id, now_s)
    if health is None or silent_since_s is None:
        return
    spoke_at_s = max(silent_since_s, health.signs.diagnostics_at_s or 0.0)
    rows.put(silence(rows, health, health.signs.online_since_s, spoke_at_s, now_s))
