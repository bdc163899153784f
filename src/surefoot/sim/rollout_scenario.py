"""What goes wrong in a simulated rollout: a file that plants effects, read with the line of every mistake.

An effect strikes robots once they run the release; an outage strikes everyone for a time counted from the rollout's
start.
"""

from dataclasses import dataclass
from enum import StrEnum

from surefoot.fleet.yaml_lines import read_yaml
from surefoot.rollout.plan import PlanRefused, path_text
from surefoot.rollout.plan_part import Part
from surefoot.wire.errors import Refused

CODE = "refused-scenario-format"
EFFECTS_MAX = 32
INTERNAL_MAX = 100


class Kind(StrEnum):
    """What a scenario can plant."""

    ERRORS = "errors"
    BATTERY_DRAIN = "battery-drain"
    BRICKED = "bricked"
    FLOODING = "flooding"
    SILENT = "silent"
    DTLS_FAILURES = "dtls-failures"
    SAFETY_STOP = "safety-stop"
    OPERATOR_STOP = "operator-stop"
    BOOT_LOOP = "boot-loop"
    TELEMETRY_OUTAGE = "telemetry-outage"
    SERVER_DOWN = "server-down"


OUTAGES = (Kind.TELEMETRY_OUTAGE, Kind.SERVER_DOWN)
# So many times as often, or as fast.
_TIMES = (Kind.ERRORS, Kind.BATTERY_DRAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the release does to robots that run it.

    It strikes `share` of them or, where `robots` is not 0, the first so many that no phase names, from `after_s`
    seconds after their update on. `times` tells how many times as often errors come, or as fast batteries drain.
    """

    kind: Kind
    share: float = 1.0
    robots: int = 0
    times: float = 1.0
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What is away between two times, in seconds since the rollout's start."""

    kind: Kind
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is planted; all chance follows from `seed`, and `internal` test robots go first."""

    seed: int = 1
    internal: int = 2
    effects: tuple[Effect, ...] = ()
    outages: tuple[Outage, ...] = ()


def scenario_from_yaml(data: bytes, name: str) -> Scenario:
    """Return the scenario that a file holds, in YAML or JSON.

    Raises:
        Refused: `refused-scenario-format`, as in "bad.yaml, line 4: plant[1].share: …".
    """
    document = read_yaml(data, name, CODE)
    try:
        return _scenario(Part(document.value, (), ("seed", "internal", "plant")))
    except PlanRefused as error:
        where = f"{name}, line {document.line(error.path)}"
        what = "scenario" if not error.path else path_text(error.path)
        raise Refused(CODE, f"{where}: {what}: {error.sentence}") from error


def _scenario(part: Part) -> Scenario:
    planted = part.array("plant", EFFECTS_MAX)
    internal = part.integer("internal", 2)
    if internal > INTERNAL_MAX:
        raise part.refuse("internal", f"must be at most {INTERNAL_MAX} robots.")
    found = [_planted(source, index) for index, source in enumerate(planted)]
    return Scenario(
        seed=part.integer("seed", 1),
        internal=internal,
        effects=tuple(one for one in found if isinstance(one, Effect)),
        outages=tuple(one for one in found if isinstance(one, Outage)),
    )


def _planted(source: object, index: int) -> Effect | Outage:
    path = ("plant", index)
    kind = Kind(Part(source, path, _KEYS_OF_ALL).choice("kind", tuple(Kind)))
    part = Part(source, path, _keys_of(kind))
    if kind in OUTAGES:
        from_s, to_s = part.duration_s("from", 0.0), part.duration_s("to", 0.0)
        if to_s <= from_s:
            raise part.refuse("to", "must be later than from.")
        return Outage(kind=kind, from_s=from_s, to_s=to_s)
    share = part.number("share", 1.0)
    if not 0 < share <= 1:
        raise part.refuse("share", "must be above 0 and at most 1.")
    if part.has("share") and part.has("robots"):
        raise part.refuse("robots", "leave out one of share and robots.")
    if kind in _TIMES and not part.has("times"):
        raise part.refuse("times", "must say how many times as much as usual.")
    return Effect(
        kind=kind,
        share=share,
        robots=part.integer("robots", 0),
        times=part.number("times", 1.0),
        after_s=part.duration_s("after", 0.0),
    )


def _keys_of(kind: Kind) -> tuple[str, ...]:
    if kind in OUTAGES:
        return ("kind", "from", "from_s", "to", "to_s")
    return ("kind", "share", "robots", "after", "after_s", *(("times",) if kind in _TIMES else ()))


_KEYS_OF_ALL = tuple(dict.fromkeys((*_keys_of(Kind.ERRORS), *_keys_of(Kind.SERVER_DOWN))))
