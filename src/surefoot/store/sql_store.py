"""The `Store` port on SQL: one thread writes, in batches that share a commit; anyone reads."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.fleet.ports import Rows
from surefoot.store.engines import as_ours, reading_engine, writing_engine
from surefoot.store.migrate import migrate
from surefoot.store.rows import SqlRows
from surefoot.wire.errors import Misuse

T = TypeVar("T")

BATCH_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    work: Callable[[Rows], Any]
    future: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raised:
    error: BaseException


class SqlStore:
    """Rows in the database at `url`, which is brought to the newest schema first.

    Works must not wait for other works: all run in the same thread, one after another.

    Raises:
        Refused: `refused-schema-newer` when a newer Surefoot made the database, `refused-store-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """

    def __init__(self, url: str, *, batch_max: int = BATCH_MAX) -> None:
        migrate(url)
        self._batch_max = batch_max
        self._writing = writing_engine(url)
        self._reading = reading_engine(url)
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._closed = False
        self._closing = Lock()
        # A daemon, since a process that ends without close() breaks no promise: what is undone was not acknowledged.
        self._writer = Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

    def submit(self, work: Callable[[Rows], T]) -> Future[T]:
        """Run `work` in a transaction; the future resolves after the commit is durable.

        Raises:
            Misuse: `misuse-store-closed`; through the future `misuse-rows` when a row refers to one that is not there.
            Interrupted: through the future, `interrupted-store` when it is not known to be durable.
            Damaged: through the future, `damaged-store`, `damaged-row`.
        """
        task = _Task(work=work)
        with self._closing:
            self._refuse_if_closed()
            self._tasks.put(task)
        return task.future

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run `work` in this thread on one consistent view.

        Raises:
            Misuse: `misuse-read-only-rows` when it writes, `misuse-store-closed`.
            Interrupted: `interrupted-store`.
            Damaged: `damaged-store`, `damaged-row`.
        """
        self._refuse_if_closed()
        try:
            with self._reading.begin() as connection:
                return work(SqlRows(connection, writable=False))
        except DBAPIError as error:
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

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Misuse("misuse-store-closed", "The store was closed: open a new one.")

    def _write(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._next_batch()
            # A caller that gave up before its turn wants nothing written; from here on it cannot give up any more.
            self._write_batch([task for task in batch if task.future.set_running_or_notify_cancel()])

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
            with self._writing.begin() as connection:
                outcomes = [_run(task, connection) for task in batch]
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear it and the thread go on
            outcomes = [_Raised(error=error)] * len(batch)
        for task, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, _Raised):
                task.future.set_exception(as_ours(outcome.error))
            else:
                task.future.set_result(outcome)


def _run(task: _Task, connection: Connection) -> Any:
    """Return what the work returned or raised; what leaves this function is the whole batch's failure."""
    savepoint = connection.begin_nested()
    try:
        result = task.work(SqlRows(connection, writable=True))
    except BaseException as error:  # noqa: BLE001 - it belongs to the one who submitted the work
        savepoint.rollback()
        return _Raised(error=error)
    savepoint.commit()
    return result
