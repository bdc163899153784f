"""What is kept about devices made for AWS IoT Jobs, held against every store."""

from dataclasses import replace
from typing import Any

import pytest

from surefoot.fleet.aws_evidence import Active
from surefoot.fleet.aws_jobs import JobExecution, JobsDevice, pending
from surefoot.fleet.aws_words import JobStatus
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.fleet.ports import Store

JOB = JobExecution(
    job_id="AFR_OTA-a-1",
    robot_id="robot-1",
    assignment_id="a",
    release_id="release-1",
    document={"afr_ota": {"files": [{"filesize": 2**40, "certfile": "\u2028"}]}},
    queued_at_s=1.5,
    updated_at_s=2.5,
)
VALUES: dict[str, tuple[Any, dict[str, Any]]] = {
    "job": (
        JOB,
        {
            "status": JobStatus.IN_PROGRESS,
            "details": {"self_test": "active"},
            "version_number": 3,
            "started_at_s": 3.5,
            "ready_details": {"self_test": "ready", "updatedBy": "0x01000000"},
            "active": Active.NEW,
        },
    ),
    "device": (JobsDevice(robot_id="robot-1", sku="standard", since_s=1.5), {"since_s": 2.5}),
    "signature": (
        ImageSignature(release_id="release-1", key_id="k" * 64, der=b"\x30\x00\xff"),
        {"key_id": "l" * 64, "der": b"\x30"},
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_it_was_stored_and_replaced(store: Store, name: str) -> None:
    value, changes = VALUES[name]
    kind: type[Any] = type(value)
    key = str(getattr(value, next(iter(kind.__dataclass_fields__))))
    store.submit(lambda rows: rows.put(value)).result()
    assert store.read(lambda rows: rows.get(kind, key)) == value
    changed = replace(value, **changes)
    store.submit(lambda rows: rows.put(changed)).result()
    assert store.read(lambda rows: rows.find(kind)) == [changed]
    store.submit(lambda rows: rows.drop(kind, key)).result()
    assert store.read(lambda rows: rows.get(kind, key)) is None


def test_jobs_that_wait_are_found_by_their_robot_what_was_begun_first(store: Store) -> None:
    later = replace(JOB, job_id="AFR_OTA-b-1", status=JobStatus.IN_PROGRESS, queued_at_s=9.5)
    done = replace(JOB, job_id="AFR_OTA-c-1", status=JobStatus.SUCCEEDED)
    others = replace(JOB, job_id="AFR_OTA-d-1", robot_id="robot-2")
    for job in (JOB, later, done, others):
        store.submit(lambda rows, job=job: rows.put(job)).result()  # type: ignore[misc]
    assert store.read(lambda rows: pending(rows, "robot-1")) == [later, JOB]
