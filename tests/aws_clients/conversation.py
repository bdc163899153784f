"""One conversation with the Jobs service, the same for every client library: what is asked, and what to print of it.

A client fills `Jobs`; `converse` prints a JSON line for each step. Each script takes PORT CA CERTIFICATE KEY THING.
"""

import json
import queue
import sys
from typing import Any, Protocol

TIMEOUT_S = 20


class Jobs(Protocol):
    """What a library can do; answers are the service's JSON objects, rejections have a `code`."""

    events: "queue.Queue[dict[str, Any]]"

    def get_pending(self) -> dict[str, Any]: ...
    def start_next(self) -> dict[str, Any]: ...
    def describe(self, job_id: str) -> dict[str, Any]: ...
    def update(self, job_id: str, status: str, version: int) -> dict[str, Any]: ...


def converse(jobs: Jobs) -> None:
    """Go through everything a device does with its jobs."""

    def tell(step: str, answer: dict[str, Any], *path: str) -> Any:
        told: Any = answer
        for name in path:
            told = told.get(name) if isinstance(told, dict) else None
        _say(step, answer.get("code", told))
        return told

    def rejected(step: str, answer: dict[str, Any]) -> None:
        _say(step, answer.get("code"))

    execution = jobs.events.get(timeout=TIMEOUT_S)["execution"]
    job_id = execution["jobId"]
    tell("notify-next", execution, "status")
    pending = jobs.get_pending()
    tell("get", {"ids": [one["jobId"] == job_id for one in pending["queuedJobs"]]}, "ids")
    started = jobs.start_next()
    tell("start-next", started, "execution", "status")
    tell("start-next version", started, "execution", "versionNumber")
    described = jobs.describe(job_id)
    tell("describe", described, "execution", "jobDocument", "surefoot", "version")
    tell("describe $next", jobs.describe("$next"), "execution", "versionNumber")
    tell("update", jobs.update(job_id, "IN_PROGRESS", 2), "executionState", "versionNumber")
    rejected("update with an old version", jobs.update(job_id, "IN_PROGRESS", 2))
    rejected("describe what is not there", jobs.describe("AFR_OTA-nothing"))
    tell("update to the end", jobs.update(job_id, "SUCCEEDED", 3), "executionState", "status")
    while "execution" in (event := jobs.events.get(timeout=TIMEOUT_S)):
        pass
    tell("notify-next of none", {"none": "execution" not in event}, "none")
    rejected("update past the end", jobs.update(job_id, "IN_PROGRESS", 4))
    pending = jobs.get_pending()
    tell("get of none", {"lists": [pending["inProgressJobs"], pending["queuedJobs"]]}, "lists")


def _say(step: str, told: object) -> None:
    sys.stdout.write(json.dumps([step, told]) + "\n")
    sys.stdout.flush()


def arguments() -> tuple[int, str, str, str, str]:
    """Return port, the files of CA, certificate and key, and the thing's name."""
    port, ca, certificate, key, thing = sys.argv[1:]
    return int(port), ca, certificate, key, thing
