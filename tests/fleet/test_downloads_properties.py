"""However requests, broken connections and killed processes interleave, nobody gets more than the limit's bytes."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.fleet.downloads import DownloadsOfDay, OverLimit, give_back, reserve
from surefoot.fleet.ports import Rows
from surefoot.sim.memory_store import MemoryStore

SIZES = {"aa" * 32: 10, "bb" * 32: 7}
LIMIT = 3

requests = st.lists(
    st.tuples(
        st.sampled_from(sorted(SIZES)),
        st.integers(min_value=1, max_value=10),
        # How much of it left; None: the process was killed and said nothing more.
        st.none() | st.integers(min_value=0, max_value=10),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(requests)
def test_no_more_leaves_than_the_limit_and_whole_downloads_are_never_refused_below_it(
    asked: list[tuple[str, int, int | None]],
) -> None:
    sent: defaultdict[str, int] = defaultdict(int)
    store, killed = MemoryStore(), False

    def work(rows: Rows) -> None:
        nonlocal killed
        for sha256, wanted, left in asked:
            size, length = SIZES[sha256], min(wanted, SIZES[sha256])
            try:
                day = reserve(rows, "robot-1", sha256, size, length, LIMIT, 1000.0)
            except OverLimit:
                if not killed:
                    would_be = {**sent, sha256: sent[sha256] + length}
                    assert downloads(would_be) > LIMIT
                continue
            went = length if left is None else min(left, length)
            sent[sha256] += went
            killed = killed or left is None
            if left is not None:
                give_back(rows, "robot-1", sha256, length - went, day)
            assert downloads(sent) <= LIMIT

    store.submit(work).result()
    kept = store.read(lambda rows: rows.get(DownloadsOfDay, "robot-1"))
    assert downloads(sent) <= (0 if kept is None else kept.downloads) <= LIMIT


def downloads(sent: dict[str, int]) -> int:
    return sum(-(-taken // SIZES[sha256]) for sha256, taken in sent.items())
