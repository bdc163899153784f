"""Durations as people write them: `24 h`, `30 min`, `90 s`, `2 d`."""

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
    """Return a duration in its largest whole unit up to hours, such as `48 h`."""
    for unit in ("h", "min"):
        if seconds >= UNITS_S[unit] and seconds % UNITS_S[unit] == 0:
            return f"{seconds / UNITS_S[unit]:g} {unit}"
    return f"{seconds:g} s"
