"""The audit log on a page: searched, leafed through, and its chain verified."""

from dataclasses import replace

from server.pages.page_case import browser
from server_bench import NOW_S, Bench
from surefoot.fleet import audit
from surefoot.fleet.audit import Entry
from surefoot.fleet.ports import Rows
from surefoot.server.pages.audit import walk


def write(bench: Bench, count: int) -> None:
    def work(rows: Rows) -> None:
        for number in range(count):
            audit.record(rows, "ada", "robot.note", f"robot-{number}", None, {"said": "<b>"}, "why not", NOW_S)

    bench.services.store.submit(work).result()


def test_entries_are_searched_and_leafed_through(bench: Bench) -> None:
    write(bench, 60)
    admin = browser(bench)
    first = admin.see("/audit?who=ada")
    assert "The chain holds: 62 entries" in first.text and "why not" in first.text and '"said": "<b>"' in first.text
    [following] = [link for link in first.links if "after=" in link]
    assert "robot-0" in admin.see(following).text
    found = admin.see("/audit?target=robot-7")
    assert "robot-7" in found.text and "robot-8" not in found.text
    assert "No entry fits" in admin.see("/audit?action=robot.dance").text


def test_an_edited_entry_shows(bench: Bench) -> None:
    write(bench, 3)

    def edit(rows: Rows) -> None:
        [second] = rows.find(Entry, number=2)
        rows.put(replace(second, reason="something else"))

    bench.services.store.submit(edit).result()
    found = bench.services.store.read(lambda rows: walk(rows, NOW_S))
    assert found.broken is not None and found.broken.number == 2
    assert "The chain is broken at entry 2" in browser(bench).see("/audit").text
