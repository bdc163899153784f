"""A device written from what is known of the FreeRTOS OTA agent v3: it asks, downloads, activates, tests itself, tells.

Power may fail before and after everything it does. The image boots pending verification; a reset before it is marked
valid takes the bootloader back.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
# Fetches an address from one byte to another, both included; returns status and body.
Fetch = Callable[[str, int, int], tuple[int, bytes]]
SAME_VERSION, STATE_MISMATCH, DOWNGRADE, MOMENTUM = 0x10, 0x11, 0x0F, 0x0E
# At these the agent asks for the job's document again; anything but 206 beside them it tries so often at most.
ASKS_AGAIN, REQUESTS_MAX = (400, 403, 404), 32


class PowerCut(Exception):
    """The device loses power."""


@dataclass(kw_only=True)
class AgentV3:
    """One device. `ask(topic suffix, body)` returns the answer's body; at step `cut_at` power fails.

    With `fetch` it is built for HTTP, and keeps what it fetched in `spare`.
    """

    ask: Ask
    fetch: Fetch | None = None
    block_bytes: int = 4096
    spare: bytes = b""
    running: int
    allows_downgrade: bool = False
    offered: int
    cut_at: int | None = None
    is_pending: bool = False
    activated: int | None = None
    before: int | None = None
    steps: int = 0

    def live(self, boots_max: int = 6) -> None:
        """Run until nothing is left to do, booting again after each reset and power cut."""
        for _ in range(boots_max):
            try:
                # Whoever gave a job up is told of the next one by notify-next, and takes it without a reset.
                while not self.run():
                    if self.next_job() is None:
                        return
            except PowerCut:
                self.cut_at = None
            self.boot()
        raise AssertionError("the device never comes to rest")

    def boot(self) -> None:
        """Let the bootloader choose: what was activated once is tried, what was tried and not kept is left."""
        if self.activated is not None:
            self.before, self.running, self.activated = self.running, self.activated, None
            self.is_pending = True
        elif self.is_pending and self.before is not None:
            self.running, self.before, self.is_pending = self.before, None, False

    def run(self) -> bool:
        """Do what one boot does; return whether it ends in a reset."""
        execution = self.next_job()
        if execution is None:
            # Without a job for the image on trial it resets after 16 s.
            return self.is_pending
        job_id, details = execution["jobId"], execution.get("statusDetails", {})
        if "self_test" in details:
            return self.test_itself(job_id, details)
        self.update(job_id, "IN_PROGRESS", {"receive": "1/74"})
        if self.fetch is not None and not self.download(job_id, execution["jobDocument"]["afr_ota"], self.fetch):
            return False
        self.update(job_id, "IN_PROGRESS", {"self_test": "ready", "updatedBy": f"0x{self.running:08x}"})
        self.power()
        self.activated = self.offered
        self.power()
        return True

    def download(self, job_id: str, document: dict[str, Any], fetch: Fetch) -> bool:
        """Fetch the file block by block, from its start; return whether it is there."""
        assert "HTTP" in document["protocols"], "it is built for HTTP"
        [file] = document["files"]
        assert file["auth_scheme"] == "aws.s3.presigned"
        self.spare, failures = b"", 0
        while len(self.spare) < file["filesize"]:
            last = min(len(self.spare) + self.block_bytes, file["filesize"]) - 1
            self.power()
            status, body = fetch(file["update_data_url"], len(self.spare), last)
            if status in ASKS_AGAIN:
                return False
            if status == 206:
                self.spare += body
            elif (failures := failures + 1) == REQUESTS_MAX:
                self.fail(job_id, MOMENTUM)
                return False
        return True

    def next_job(self) -> dict[str, Any] | None:
        return self.tell("$next/get", {}).get("execution")

    def test_itself(self, job_id: str, details: dict[str, str]) -> bool:
        updated_by = int(details["updatedBy"], 16)
        if not self.allows_downgrade and self.running <= updated_by:
            self.fail(job_id, SAME_VERSION if self.running == updated_by else DOWNGRADE)
            return self.is_pending
        self.update(job_id, "IN_PROGRESS", {"self_test": "active", "updatedBy": f"0x{self.running:08x}"})
        if not self.is_pending:
            self.fail(job_id, STATE_MISMATCH)
            return False
        self.power()
        self.is_pending, self.before = False, None
        self.power()
        self.update(job_id, "SUCCEEDED", {"reason": "accepted  v1.1.0", "updatedBy": "  v1.0.0"})
        return False

    def fail(self, job_id: str, number: int) -> None:
        self.update(job_id, "FAILED", {"reason": f"rejected: 0x{number:08x}"})

    def update(self, job_id: str, status: str, details: dict[str, str]) -> None:
        self.tell(f"{job_id}/update", {"status": status, "statusDetails": details})

    def tell(self, suffix: str, body: dict[str, Any]) -> dict[str, Any]:
        self.power()
        answer = self.ask(suffix, json.loads(json.dumps(body)))
        self.power()
        return answer

    def power(self) -> None:
        self.steps += 1
        if self.steps == self.cut_at:
            raise PowerCut
