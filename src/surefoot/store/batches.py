"""Runs the works of a batch in one transaction, again from the start where the database or another process demands it.

The first try is the quick one: works share what was read, and write together at the end. Where PostgreSQL lets another
process go first, the batch is tried again alone, which cannot fail so. Where a work cannot be undone by itself, or a
row is not taken, the batch is tried again with care: each work writes behind a savepoint of its own.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Engine, Transaction
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from surefoot.fleet.ports import Rows
from surefoot.store.engines import as_ours, is_lost, must_try_again, said_by, take_turn
from surefoot.store.overlay import Entangled
from surefoot.store.rows import SqlRows
from surefoot.wire.errors import Damaged, Interrupted

# One for each reason to try again, and one more for a connection that was found dead.
TRIES_MAX = 4
# Where processes got into each other's way once they will again: for so many batches they take turns from the start.
TURNS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A work, and the id of the robot that it is about, if it is about one."""

    work: Callable[[Rows], Any]
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """What a work raised, in place of what it would have returned."""

    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a batch is tried: alone or beside other processes, together or each work with care."""

    alone: bool = False
    careful: bool = False

    def after(self, error: Exception) -> Self | None:
        """Return how to try again after an error, None where that would not help."""
        if isinstance(error, DBAPIError) and (must_try_again(error) or error.connection_invalidated):
            return type(self)(alone=True, careful=self.careful)
        return None if self.careful else type(self)(alone=True, careful=True)


class _InDoubtError(Exception):
    """The commit was asked for and not answered."""


class BatchWriter:
    """Writes batches through one engine; one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turns = 0

    def write(self, jobs: Sequence[Job]) -> list[Any]:
        """Return what each work returned, or a `Raised`, once all that they wrote is durable.

        Raises:
            SurefootError: What became of the whole batch; nothing of it was written, unless it is said to be unknown.
        """
        self._turns = max(self._turns - 1, 0)
        manner: Manner | None = Manner(alone=self._turns > 0)
        failed: Exception = Interrupted("interrupted-store", "The database was not asked.")
        for _ in range(TRIES_MAX):
            if manner is None:
                break
            try:
                return self._try(jobs, manner)
            except _InDoubtError as error:
                detail = "The database did not say whether it took the rows: look before trying again."
                raise Interrupted("interrupted-store", f"{detail} {said_by(error.__cause__)}".rstrip()) from error
            except Exception as error:  # noqa: BLE001 - a work's own errors are outcomes; whatever else it is, we may retry
                failed = error
                manner = manner.after(error)
                if isinstance(error, DBAPIError) and must_try_again(error):
                    self._turns = TURNS
        raise as_ours(failed)

    def _try(self, jobs: Sequence[Job], manner: Manner) -> list[Any]:
        with self._engine.connect() as connection, connection.begin() as transaction:
            take_turn(connection, alone=manner.alone)
            rows = SqlRows(connection, writable=True)
            with suppress(Damaged):
                rows.prefetch({job.about for job in jobs if job.about is not None})
            run = _run_with_care if manner.careful else _run
            try:
                outcomes = [run(job, rows, connection) for job in jobs]
                rows.flush()
            except Entangled as error:
                if len(jobs) > 1:
                    raise
                transaction.rollback()
                return [Raised(error=error.__context__ or error)]
            if is_lost(connection):
                raise Interrupted("interrupted-store", "The database gave a transaction up: look at its log and retry.")
            _commit(transaction)
        return outcomes


def _commit(transaction: Transaction) -> None:
    try:
        transaction.commit()
    except DBAPIError as error:
        if must_try_again(error):
            raise
        raise _InDoubtError from error


def _run(job: Job, rows: SqlRows, _connection: Connection) -> Any:
    """Return what the work returned or raised; what leaves this function is the whole batch's failure."""
    rows.begin_work()
    try:
        return job.work(rows)
    except DBAPIError:
        raise
    except BaseException as error:  # noqa: BLE001 - it belongs to the one who submitted the work
        rows.undo()
        return Raised(error=error)


def _run_with_care(job: Job, rows: SqlRows, connection: Connection) -> Any:
    """Do as `_run`, with all that the work writes behind a savepoint."""
    savepoint = connection.begin_nested()
    rows.begin_work()
    try:
        result = job.work(rows)
        rows.flush()
    except BaseException as error:
        if isinstance(error, DBAPIError) and not isinstance(error, (IntegrityError, DataError)):
            raise
        savepoint.rollback()
        rows.forget()
        return Raised(error=error)
    savepoint.commit()
    return result
