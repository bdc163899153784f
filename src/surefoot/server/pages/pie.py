"""A pie as SVG, drawn on the server: shares as paths, and everything else as other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

SLICES_MAX = 7
OTHER = "other"
RADIUS, HOLE = 50.0, 27.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One share: its label, its count, its share of the whole, and the path that draws it around (0, 0).

    `tint` numbers its colour; the last one is for what is put together as other.
    """

    label: str
    count: int
    share: float
    path: str
    tint: int


def slices(counts: Mapping[str, int]) -> list[Slice]:
    """Return the slices, the greatest first; what is beyond the seventh is one slice."""
    ordered = sorted(((count, label) for label, count in counts.items() if count), key=lambda one: (-one[0], one[1]))
    if len(ordered) > SLICES_MAX:
        rest = sum(count for count, _ in ordered[SLICES_MAX - 1 :])
        ordered = [*ordered[: SLICES_MAX - 1], (rest, OTHER)]
    whole = sum(count for count, _ in ordered)
    found, begin = [], 0.0
    for tint, (count, label) in enumerate(ordered):
        share = count / whole
        is_other = label == OTHER and tint == SLICES_MAX - 1
        path = _path(begin, begin + share)
        found.append(Slice(label=label, count=count, share=share, path=path, tint=SLICES_MAX if is_other else tint))
        begin += share
    return found


def _path(begin: float, end: float) -> str:
    if end - begin > 0.9999:
        # A whole ring has no beginning: two halves, the hole drawn the other way round.
        return (
            f"M0 {-RADIUS}A{RADIUS} {RADIUS} 0 1 1 0 {RADIUS}A{RADIUS} {RADIUS} 0 1 1 0 {-RADIUS}Z"
            f"M0 {-HOLE}A{HOLE} {HOLE} 0 1 0 0 {HOLE}A{HOLE} {HOLE} 0 1 0 0 {-HOLE}Z"
        )
    is_large = int(end - begin > 0.5)
    (x1, y1), (x2, y2) = _point(begin, RADIUS), _point(end, RADIUS)
    (x3, y3), (x4, y4) = _point(end, HOLE), _point(begin, HOLE)
    outer = f"M{x1:.2f} {y1:.2f}A{RADIUS} {RADIUS} 0 {is_large} 1 {x2:.2f} {y2:.2f}"
    return f"{outer}L{x3:.2f} {y3:.2f}A{HOLE} {HOLE} 0 {is_large} 0 {x4:.2f} {y4:.2f}Z"


def _point(share: float, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * share
    return radius * math.sin(angle), -radius * math.cos(angle)
