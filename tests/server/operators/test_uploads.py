"""Who sends an image slowly keeps nobody else's from being published, and memory holds only a few."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shell.full_disk import disk_of
from support import code_of
from surefoot.server.operators.uploads import ARRIVING_MAX, CHECKED_MAX, Uploads

DATA = b"an image that two sentences make. " * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
TIMEOUT_S = 600


class Sender:
    """A client that sends these pieces and then no more; `None` is where it stops amid its image."""

    def __init__(self, *pieces: bytes | None) -> None:
        self._pieces = iter(pieces)
        self._messages = self._said()

    def _said(self) -> Iterator[dict[str, Any] | None]:
        for piece in self._pieces:
            yield None if piece is None else {"type": "http.request", "body": piece, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    async def __call__(self) -> dict[str, Any]:
        message = next(self._messages)
        return await asyncio.Future() if message is None else message


async def stored(uploads: Uploads, sender: Sender, *, bytes_max: int = 10**6) -> bytes:
    async with uploads.arrived(SHA256, {}, sender, bytes_max, TIMEOUT_S) as data:
        return data


async def settle() -> None:
    """Let everything happen that can without anybody sending more, in the loop and in its threads."""
    for _ in range(20):
        await asyncio.to_thread(lambda: None)


def test_a_file_arrives_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    assert asyncio.run(stored(Uploads(tmp_path), Sender(DATA[:7], DATA[7:]))) == DATA
    assert list(tmp_path.iterdir()) == []


def test_who_stops_amid_an_image_keeps_nobody_from_publishing(tmp_path: Path) -> None:
    async def work() -> None:
        uploads = Uploads(tmp_path)
        stopped = [asyncio.create_task(stored(uploads, Sender(DATA[:7], None))) for _ in range(ARRIVING_MAX - 1)]
        await settle()
        assert await stored(uploads, Sender(DATA)) == DATA
        assert not any(task.done() for task in stopped), "and none of them was hung up on"
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)
        # Their places are free again.
        assert await asyncio.gather(*(stored(uploads, Sender(DATA)) for _ in range(ARRIVING_MAX + 1)))

    asyncio.run(work())


def test_no_more_are_in_memory_at_once_than_may_be(tmp_path: Path) -> None:
    async def work() -> None:
        uploads, may_go, held = Uploads(tmp_path), asyncio.Event(), []
        came = asyncio.Semaphore(0)

        async def hold() -> None:
            async with uploads.arrived(SHA256, {}, Sender(DATA), 10**6, TIMEOUT_S) as data:
                held.append(data)
                came.release()
                await may_go.wait()

        tasks = [asyncio.create_task(hold()) for _ in range(CHECKED_MAX + 2)]
        for _ in range(CHECKED_MAX):
            await came.acquire()
        await settle()
        assert len(held) == CHECKED_MAX
        may_go.set()
        await asyncio.gather(*tasks)
        assert len(held) == CHECKED_MAX + 2

    asyncio.run(work())


@pytest.mark.parametrize(
    ("sent", "bytes_max", "code"),
    [(DATA + b"x", 10**6, "refused-sha256"), (DATA, len(DATA) - 1, "refused-body-too-large")],
)
def test_what_is_not_as_it_was_announced_is_refused(tmp_path: Path, sent: bytes, bytes_max: int, code: str) -> None:
    assert code_of(asyncio.run, stored(Uploads(tmp_path), Sender(sent), bytes_max=bytes_max)) == code
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_said_to_be_that(tmp_path: Path) -> None:
    assert code_of(asyncio.run, stored(Uploads(tmp_path / "gone"), Sender(DATA))) == "interrupted-blob"


@pytest.mark.parametrize("pieces", [(DATA,), (DATA[:7], DATA[7:]), (DATA * 100, DATA)])
def test_a_disk_that_is_full_amid_an_image_is_said_to_be_that(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    with disk_of(10):
        assert code_of(asyncio.run, stored(Uploads(tmp_path), Sender(*pieces))) == "interrupted-blob"
    assert list(tmp_path.iterdir()) == []
