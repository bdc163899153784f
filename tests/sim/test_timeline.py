import threading
from functools import partial

import pytest

from surefoot.sim.timeline import Timeline


def test_processes_wake_in_the_order_of_their_time() -> None:
    timeline, seen = Timeline(), []

    def live(name: str, nap_s: float) -> None:
        for _ in range(3):
            timeline.sleep(nap_s)
            seen.append((timeline.now_s, name))

    timeline.spawn(lambda: live("slow", 2.0))
    timeline.spawn(lambda: live("quick", 1.5))
    timeline.call(2.5, lambda: seen.append((timeline.now_s, "call")))
    timeline.run(5.0)
    timeline.close()
    expected = [(1.5, "quick"), (2.0, "slow"), (2.5, "call"), (3.0, "quick"), (4.0, "slow"), (4.5, "quick")]
    assert seen == expected


def test_at_one_time_it_is_first_come_first_served() -> None:
    timeline, seen = Timeline(), []

    def live(name: str) -> None:
        for _ in range(2):
            seen.append(name)
            timeline.sleep(1.0)

    for name in ("a", "b", "c"):
        timeline.spawn(partial(live, name))
    timeline.run(1.5)
    timeline.close()
    assert seen == ["a", "b", "c"] * 2


def test_closing_ends_every_process_and_nothing_of_them_runs_on() -> None:
    timeline, ran_on = Timeline(), []
    before = threading.active_count()

    def live() -> None:
        try:
            while True:
                timeline.sleep(1.0)
        except Exception:  # noqa: BLE001 - the end of the world must pass by this
            ran_on.append("caught")

    for _ in range(5):
        timeline.spawn(live)
    timeline.run(3.0)
    timeline.close()
    assert (threading.active_count(), ran_on) == (before, [])


@pytest.mark.parametrize("in_process", [True, False])
def test_what_a_process_or_a_call_raises_comes_out_of_run(in_process: bool) -> None:
    timeline = Timeline()

    def fail() -> None:
        raise KeyError("a fault of the world itself")

    timeline.spawn(lambda: timeline.sleep(100.0))
    if in_process:
        timeline.spawn(fail)
    else:
        timeline.call(1.0, fail)
    with pytest.raises(KeyError):
        timeline.run(5.0)
    timeline.close()
