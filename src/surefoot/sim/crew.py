"""Threads that belong together: what one of them fails with is kept, as a run in which one fell out proves nothing."""

import threading
import time
from collections.abc import Callable


class Crew:
    """Threads by name; `failed` says which ended with what error."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._threads: dict[str, threading.Thread] = {}

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` in a thread of its own."""

        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the end
                self.failed.append(f"{name} ended with {type(error).__name__}: {error}")

        self._threads[name] = threading.Thread(target=run, name=name, daemon=True)
        self._threads[name].start()

    def join(self, timeout_s: float, *names: str) -> None:
        """Wait until these threads have ended, or all of them; who has not in time counts as failed."""
        deadline_s = time.monotonic() + timeout_s
        for name in names or tuple(self._threads):
            self._threads[name].join(max(0.0, deadline_s - time.monotonic()))
            if self._threads[name].is_alive():
                self.failed.append(f"{name} did not end within {timeout_s:g} s")
