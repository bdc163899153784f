"""A controller behind real HTTP: two slots, a bootloader of its own, and every way to disappoint a companion."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from surefoot.wire.image_header import HEADER_BYTES, ImageHeader

TOKEN = "controller-token"


class FakeController:
    """A controller as it stands on the bench. Time is counted in questions for its status.

    Args:
        image: What it runs when it leaves the factory.
        version: And what that is called.
    """

    def __init__(self, image: bytes, version: str) -> None:
        self.slots = [image, b""]
        self.versions = [version, ""]
        self.running = 0
        self.word = "idle"
        self.error: str | None = None
        self.healthy = True
        self.says_digest = True
        self.says_slot = True
        self.words: dict[str, str] = {}
        self.refuses_image: str | None = None
        self.breaks_upload_after: int | None = None
        self.is_silent = False
        self.uploads = 0
        self.asked = 0
        # What it goes through after an upload, one word for each question.
        self.plan: list[str] = []

    def take(self, file: bytes) -> None:
        """Do what firmware does with an upload: verify, set the boot slot, restart."""
        self.uploads += 1
        header, image = ImageHeader.parse(file[:HEADER_BYTES]), file[HEADER_BYTES:]
        self.error = None
        if self.refuses_image is not None:
            self.plan = ["verifying", "error"]
            return
        assert header.digest == hashlib.sha256(image).hexdigest()
        self.slots[1 - self.running], self.versions[1 - self.running] = image, str(header.version)
        self.plan = ["verifying", "rebooting", "trial", "trial", "idle" if self.healthy else "rolled_back"]

    def status(self) -> dict[str, Any]:
        self.asked += 1
        if self.plan:
            before, self.word = self.word, self.plan.pop(0)
            if self.word == "error":
                self.error = self.refuses_image
            if "rolled_back" in (self.word,) or (self.word == "trial" and before != "trial"):
                self.running = 1 - self.running
        said: dict[str, Any] = {
            "status": self.words.get(self.word, self.word),
            "progress": 100,
            "version": self.versions[self.running],
            "error": self.error,
        }
        if self.says_digest:
            said["digest"] = hashlib.sha256(self.slots[self.running]).hexdigest()
        if self.says_slot:
            said["slot"] = f"ota_{self.running}"
        return said

    @property
    def image(self) -> bytes:
        """What really runs."""
        return self.slots[self.running]


@contextmanager
def served(controller: FakeController) -> Iterator[str]:
    """Serve a controller; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if controller.is_silent:
                self.connection.close()
                self.close_connection = True
            elif self._may():
                self._answer(200, controller.status())

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            if controller.breaks_upload_after is not None:
                self.rfile.read(min(length, controller.breaks_upload_after))
                controller.breaks_upload_after = None
                self.close_connection = True
                return
            file = self.rfile.read(length)
            if self._may():
                controller.take(file)
                self._answer(202, {"status": "verifying"})

        def _may(self) -> bool:
            if self.headers["Authorization"] == f"Bearer {TOKEN}":
                return True
            self._answer(401, {"error": "token"})
            return False

        def _answer(self, code: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
