"""An incident's page: its timeline, who is back, and closing it."""

from hashlib import sha256

from server.pages.page_case import Page, browser, start, tell
from server_bench import FIRMWARE, Bench
from surefoot.fleet.access import Role

EVERYBODY = [{"name": "full", "percent": 100, "soak_s": 3600}]


def test_the_page_tells_what_happened_and_who_is_back(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1", phases=EVERYBODY)
    tell(bench, "robot-1")
    digest = sha256(FIRMWARE + b"0.2.1").hexdigest()
    wanted = {"slot": "ota_1", "version": "0.2.1", "digest": digest, "state": "confirmed"}
    tell(bench, "robot-1", seq=2, running=wanted)
    bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "arms shake"})
    operator = browser(bench, Role.OPERATOR)
    path = f"/incidents/{rollout_id}-2"
    page = operator.see(path)
    assert "open opened" in page.text and "Halted: arms shake" in page.text
    assert "1 not back" in page.text and "/robots/robot-1" in page.links
    assert "Entry for CHANGELOG.md" in page.text
    assert path in operator.see("/incidents").links
    assert operator.send(f"{path}/notes", text="cable <loose>").status == 303
    assert "cable <loose>" in operator.see(path).text
    refused = operator.send(f"{path}/close", reason=" ")
    assert "refused-reason-missing" in Page(refused.body.decode()).text
    assert operator.send(f"{path}/close", reason="fixed in 0.2.2").headers["location"] == f"{path}?done=closed"
    closed = operator.see(path)
    assert "closed" in closed.text and f"{path}/close" not in closed.forms


def test_where_nothing_went_wrong_that_is_said(bench: Bench) -> None:
    viewer = browser(bench, Role.VIEWER)
    assert "Nothing has gone wrong so far" in viewer.see("/incidents").text
    assert viewer.get("/incidents/none").status == 404
