"""Enrol robots until killed, with several threads, and print each id once it is acknowledged."""

import os
import sys
from collections.abc import Callable
from itertools import count
from threading import Thread

from surefoot.fleet.model import HistoryEntry, Robot
from surefoot.fleet.ports import Rows
from surefoot.store.sql_store import SqlStore

store = SqlStore(sys.argv[1])


def enrol(robot_id: str) -> Callable[[Rows], None]:
    def work(rows: Rows) -> None:
        rows.put_robot(Robot(robot_id=robot_id, sku="new", token_sha256=robot_id, enrolled_at_s=0.0))
        for text in ("one", "two"):
            rows.add_history(HistoryEntry(robot_id=robot_id, at_s=0.0, kind="note", text=text))

    return work


def enrol_for_ever(name: str) -> None:
    for number in count():
        robot_id = f"{name}-{number}"
        store.submit(enrol(robot_id)).result()
        # Past all buffers, so that a line is out whole or not at all.
        os.write(1, f"{robot_id}\n".encode())


for name in "abcd":
    Thread(target=enrol_for_ever, args=(name,)).start()
