import asyncio
from concurrent.futures import Future
from threading import Thread

import pytest

from surefoot.server.arrivals import Arrivals


def finish(futures: list["Future[int]"]) -> None:
    for number, future in enumerate(futures):
        if future.set_running_or_notify_cancel():
            future.set_result(number)


def test_every_future_of_a_batch_arrives_whichever_thread_finished_it() -> None:
    async def run() -> list[int]:
        arrivals = Arrivals()
        futures: list[Future[int]] = [Future() for _ in range(500)]
        threads = [Thread(target=finish, args=(futures[first::2],)) for first in (0, 1)]
        waiting = [asyncio.create_task(arrivals.wait(future)) for future in futures]
        for thread in threads:
            thread.start()
        return await asyncio.wait_for(asyncio.gather(*waiting), 20)

    assert asyncio.run(run()) == [number // 2 for number in range(500)]


def test_what_was_raised_is_raised_and_what_was_there_before_arrives() -> None:
    async def run() -> int:
        arrivals = Arrivals()
        failed: Future[int] = Future()
        failed.set_exception(ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            await arrivals.wait(failed)
        done: Future[int] = Future()
        done.set_result(7)
        return await arrivals.wait(done)

    assert asyncio.run(run()) == 7


def test_who_gives_up_cancels_what_has_not_begun_and_disturbs_nobody() -> None:
    arrivals = Arrivals()

    async def run() -> int:
        given_up: Future[int] = Future()
        begun: Future[int] = Future()
        begun.set_running_or_notify_cancel()
        tasks = [asyncio.create_task(arrivals.wait(future)) for future in (given_up, begun)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert given_up.cancelled()
        begun.set_result(1)
        kept: Future[int] = Future()
        kept.set_result(2)
        return await arrivals.wait(kept)

    # Twice, as a loop that ends may leave something behind.
    assert [asyncio.run(run()) for _ in range(2)] == [2, 2]


def test_a_future_that_ends_after_its_loop_hurts_nobody() -> None:
    arrivals, late = Arrivals(), Future[int]()
    late.set_running_or_notify_cancel()

    async def run() -> None:
        task = asyncio.create_task(arrivals.wait(late))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    late.set_result(1)
