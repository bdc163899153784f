"""The `Store` port on SQL: one thread writes, in batches that share a commit; anyone reads."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from surefoot.fleet.ports import Rows
from surefoot.store.batches import BatchWriter, Job, Raised
from surefoot.store.engines import as_ours, reading_engine, writing_engine
from surefoot.store.migrate import migrate
from surefoot.store.rows import SqlRows
from surefoot.wire.errors import Misuse

T = TypeVar("T")

BATCH_MAX = 256


_Task = tuple[Job, Future[Any]]


class SqlStore:
    """Rows in the database at `url`, which is brought to the newest schema first.

    Any number of processes may have the same database open. Works must not wait for other works: those of a process
    run in one thread, one after another.

    Raises:
        Refused: `refused-schema-newer` when a newer Surefoot made the database, `refused-store-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """

    def __init__(self, url: str, *, batch_max: int = BATCH_MAX) -> None:
        migrate(url)
        self._batch_max = batch_max
        self._writing = writing_engine(url)
        self._reading = reading_engine(url)
        self._batches = BatchWriter(self._writing)
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._closed = False
        self._closing = Lock()
        # A daemon, since a process that ends without close() breaks no promise: what is undone was not acknowledged.
        self._writer = Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> Future[T]:
        """Run `work` in a transaction; the future resolves after the commit is durable.

        Args:
            work: Reads and writes rows; run again from its start where the database demands it.
            about: The id of the robot whose rows the work reads, read ahead together with those of other works.

        Raises:
            Misuse: `misuse-store-closed`; through the future `misuse-rows` when a row refers to one that is not there.
            Interrupted: through the future, `interrupted-store` when it is not known to be durable.
            Damaged: through the future, `damaged-store`, `damaged-row`.
        """
        future: Future[T] = Future()
        with self._closing:
            self._refuse_if_closed()
            self._tasks.put((Job(work=work, about=about), future))
        return future

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run `work` in this thread on one consistent view; run again where the connection turns out to be dead.

        Raises:
            Misuse: `misuse-read-only-rows` when it writes, `misuse-store-closed`.
            Interrupted: `interrupted-store`.
            Damaged: `damaged-store`, `damaged-row`.
        """
        self._refuse_if_closed()
        try:
            return self._read(work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise as_ours(error) from error
        except SQLAlchemyError as error:
            raise as_ours(error) from error
        try:
            return self._read(work)
        except SQLAlchemyError as error:
            raise as_ours(error) from error

    def close(self) -> None:
        """Finish what was submitted and let go of the database; again does nothing."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._tasks.put(None)
        self._writer.join()
        self._writing.dispose()
        self._reading.dispose()

    def _read(self, work: Callable[[Rows], T]) -> T:
        with self._reading.begin() as connection:
            return work(SqlRows(connection, writable=False))

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Misuse("misuse-store-closed", "The store was closed: open a new one.")

    def _write(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._next_batch()
            # A caller that gave up before its turn wants nothing written; from here on it cannot give up any more.
            self._write_batch([task for task in batch if task[1].set_running_or_notify_cancel()])

    def _next_batch(self) -> tuple[list[_Task], bool]:
        """Wait for a task and take along what has queued up behind it; False when nothing can follow."""
        batch: list[_Task] = []
        task = self._tasks.get()
        while task is not None:
            batch.append(task)
            if len(batch) == self._batch_max:
                return batch, True
            try:
                task = self._tasks.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _write_batch(self, batch: list[_Task]) -> None:
        if not batch:
            return
        try:
            outcomes = self._batches.write([job for job, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear it and the thread go on
            outcomes = [Raised(error=error)] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Raised):
                future.set_exception(as_ours(outcome.error))
            else:
                future.set_result(outcome)
