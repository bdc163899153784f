"""Lengths of time: as plans state them (`24 h`, `30 min`, `90 s`), and as people are told of them (`1 d 4 h`)."""

UNITS_S = {"d": 86400, "h": 3600, "min": 60, "s": 1}
_DIGITS = "0123456789"


def parse_duration(text: str) -> float | None:
    """Return the seconds that a number and a unit mean, None where the text is no such duration."""
    said = text.strip()
    number, unit = said.rstrip("abcdefghijklmnopqrstuvwxyz").strip(), said.lstrip(f"{_DIGITS}. ")
    whole, _, part = number.partition(".")
    # Longer numbers are slips of the keyboard, and slow to read.
    if unit not in UNITS_S or not whole or len(number) > 16 or (whole + part).strip(_DIGITS) or number.endswith("."):
        return None
    return float(number) * UNITS_S[unit]


def duration_text(seconds: float) -> str:
    """Return a plan's duration in its largest whole unit up to hours, such as `48 h`; `parse_duration` reads it."""
    for unit in ("h", "min"):
        if seconds >= UNITS_S[unit] and seconds % UNITS_S[unit] == 0:
            return f"{seconds / UNITS_S[unit]:g} {unit}"
    return f"{seconds:g} s"


def span_text(seconds: float) -> str:
    """Return about how long something took or takes, in two units at most: `3 d 4 h`, `12 min`, `68 s`."""
    whole = max(0, round(seconds))
    if whole < 2 * UNITS_S["min"]:
        return f"{whole} s"
    minutes = whole // UNITS_S["min"]
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    days, rest = divmod(hours, 24)
    return f"{days} d {rest} h" if rest and days < 10 else f"{days} d"
