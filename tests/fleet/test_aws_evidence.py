"""What job updates tell: the table row by row, and the words it is fed from."""

import itertools

import pytest

from surefoot.fleet.aws_evidence import TABLE, Active, Runs, Signal, find_row, signal_of, version_text
from surefoot.fleet.aws_words import JobStatus
from surefoot.wire.report import INSTALLED, ROLLED_BACK


def test_every_signal_means_something_whatever_came_before() -> None:
    for signal, ready, active in itertools.product(Signal, (False, True), Active):
        assert find_row(signal, ready=ready, active=active) in TABLE


def test_every_row_is_reached() -> None:
    found = {
        find_row(signal, ready=ready, active=active)
        for signal, ready, active in itertools.product(Signal, (False, True), Active)
    }
    assert found == set(TABLE)


@pytest.mark.parametrize(
    ("signal", "active", "runs", "state"),
    [
        (Signal.NOT_IN_SELF_TEST, Active.NEW, Runs.WANTED, INSTALLED),
        (Signal.NOT_IN_SELF_TEST, Active.NEW_BEFORE, Runs.UNKNOWN, None),
        (Signal.NOT_IN_SELF_TEST, Active.OLD, Runs.OTHER, ROLLED_BACK),
        (Signal.SAME_VERSION, Active.NEW, Runs.OTHER, ROLLED_BACK),
        (Signal.SAME_VERSION, Active.NOBODY, Runs.OTHER, ROLLED_BACK),
        (Signal.SUCCEEDED, Active.NEW, Runs.WANTED, INSTALLED),
    ],
)
def test_the_famous_fault_is_read_as_what_it_is(signal: Signal, active: Active, runs: Runs, state: str | None) -> None:
    row = find_row(signal, ready=True, active=active)
    assert (row.runs, row.state) == (runs, state)


@pytest.mark.parametrize(
    ("status", "details", "signal"),
    [
        (JobStatus.IN_PROGRESS, {"receive": "64/74"}, Signal.RECEIVING),
        (JobStatus.IN_PROGRESS, {"self_test": "ready", "updatedBy": "0x01000000"}, Signal.READY),
        (JobStatus.IN_PROGRESS, {"self_test": "active", "updatedBy": "0x01010000"}, Signal.ACTIVE_NEW),
        (JobStatus.IN_PROGRESS, {"self_test": "active", "updatedBy": "0x01000000"}, Signal.ACTIVE_OLD),
        (JobStatus.SUCCEEDED, {"reason": "accepted  v1.1.0"}, Signal.SUCCEEDED),
        (JobStatus.FAILED, {"reason": "rejected: 0x00000011"}, Signal.NOT_IN_SELF_TEST),
        (JobStatus.FAILED, {"reason": "rejected: 0x00000010"}, Signal.SAME_VERSION),
        (JobStatus.FAILED, {"reason": "rejected: 0x0000000f"}, Signal.NO_DOWNGRADE),
        (JobStatus.FAILED, {"reason": "rejected: 0x0000000e"}, Signal.GAVE_UP),
        (JobStatus.FAILED, {"reason": "out of memory"}, Signal.FAILED),
        (JobStatus.REJECTED, {}, Signal.REJECTED),
    ],
)
def test_an_update_is_read_by_its_words(status: JobStatus, details: dict[str, str], signal: Signal) -> None:
    assert signal_of(status, details, "0x01000000") is signal


@pytest.mark.parametrize(
    ("said", "version"),
    [("0x01020003", "1.2.3"), ("0x00020001", "0.2.1"), ("  v1.0.0", "v1.0.0"), ("", None), (None, None)],
)
def test_versions_are_written_as_people_do(said: str | None, version: str | None) -> None:
    assert version_text(said) == version
