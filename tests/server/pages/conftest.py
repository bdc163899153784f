"""What tests of pages may count on."""

import pytest

from surefoot.server.pages import snapshots


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a test waits for its counts, however busy the machine is."""
    monkeypatch.setattr(snapshots, "WAIT_S", 60.0)
