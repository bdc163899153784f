"""Spares a server process most of Python's search for cyclic garbage, of which it makes next to none."""

import gc

# Net new containers before a search among the young ones: more than a full batch of reports has in flight.
YOUNG_MAX = 5_000


def search_rarely() -> None:
    """Never search what a start leaves in memory, and look at the rest more rarely; for the whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 10, 10)
