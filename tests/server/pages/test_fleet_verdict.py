"""The fleet in one sentence."""

from server.pages.page_case import Page, browser, start, tell
from server_bench import Bench


def verdict_of(page: Page) -> tuple[str, str]:
    """Return the sentence's tone, and what the browser's tab says."""
    [found] = [attributes for tag, attributes in page.tags if "data-tab" in attributes]
    return found["class"].split()[-1], found["data-tab"]


def test_an_empty_fleet_has_no_verdict(bench: Bench) -> None:
    assert not [1 for _, attributes in browser(bench).see("/").tags if "data-tab" in attributes]


def test_all_is_well_while_nothing_is_wrong_and_no_tab_says_otherwise(bench: Bench) -> None:
    tell(bench, "robot-1")
    start(bench, "0.2.1")
    page = browser(bench).see("/")
    assert "All is well: nothing is halted, no incident is open, 1 rollout under way." in page.text
    assert verdict_of(page) == ("good", "")


def test_the_worst_is_said_first(bench: Bench) -> None:
    tell(bench, "robot-1")
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    admin = browser(bench)
    bench.operate("POST", f"/rollouts/{rollout_id}/pause", {"reason": "lunch"})
    paused = admin.see("/")
    assert verdict_of(paused) == ("careful", "1 rollout paused") and "1 rollout is paused." in paused.text
    bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "arms shake"})
    halted = admin.see("/")
    assert verdict_of(halted) == ("bad", "1 incident open") and "1 incident is open." in halted.text
    [incident] = [link for link in halted.links if link.startswith("/incidents/")]
    admin.send(f"{incident}/close", reason="known")
    closed = admin.see("/")
    assert verdict_of(closed) == ("bad", "1 rollout halted") and f"/rollouts/{rollout_id}" in closed.links


def test_robots_that_somebody_should_look_at_are_named_by_how_they_stand(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    order = tell(bench, "robot-1")["order"]
    ended = {"id": order["id"], "state": "rolled_back", "attempts": 3, "received_bytes": 1, "code": "trial-failed"}
    tell(bench, "robot-1", seq=2, assignment=ended)
    page = browser(bench).see("/")
    assert "Of 1 robot: 1 rolled back." in page.text and "/robots?status=rolled_back" in page.links
    assert verdict_of(page) == ("careful", "1 robot to look at") and f"/rollouts/{rollout_id}" in page.links
