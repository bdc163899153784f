"""Builds deltas in the background, one after another, for as long as this process leads.

The file is stored before the row that names it, so a process that dies at any moment leaves either a delta that can be
offered or nothing that anybody knows of; its successor builds it again and gets the same bytes.
"""

import asyncio
import hashlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable

from surefoot.fleet.deltas import Wanted, due, is_useful, is_wanted, keep
from surefoot.fleet.lease import Lease, hold
from surefoot.fleet.ports import Rows
from surefoot.server.delta_process import LENGTH_BYTES, REFUSED
from surefoot.server.outage import Outage
from surefoot.server.services import Services
from surefoot.wire.errors import Interrupted, Refused, SurefootError

LOOK_S = 2.0
# At most a twentieth of the time goes into looking: counting what a million robots run takes seconds.
PAUSES = 20.0

Make = Callable[[bytes, bytes], Awaitable[bytes]]

log = logging.getLogger(__name__)


async def make_in_process(source_file: bytes, target_file: bytes) -> bytes:
    """Make a delta in a process of its own, which is killed when nobody waits for it any more.

    Raises:
        Refused: `refused-delta`, there is none between these two.
        Interrupted: `interrupted-delta`, the process ended without one.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "surefoot.server.delta_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        order = len(source_file).to_bytes(LENGTH_BYTES, "big") + source_file + target_file
        delta, said = await process.communicate(order)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == REFUSED:
        raise Refused("refused-delta", said.decode(errors="replace"))
    if process.returncode != 0:
        detail = f"The process that made a delta ended with {process.returncode}: look at the server's memory."
        raise Interrupted("interrupted-delta", detail)
    return delta


class DeltaBuilder:
    """Makes what is due.

    Args:
        services: What it works with.
        make: Makes a delta of two signed files.
    """

    def __init__(self, services: Services, make: Make = make_in_process) -> None:
        self._services = services
        self._make = make
        # What fails is not tried again by this process: the same two files would end it the same way.
        self._given_up: set[str] = set()

    async def run(self) -> None:
        """Build until cancelled; what fails is logged."""
        outage = Outage(log, "deltas-stopped")
        while True:
            lease, took_s = self._services.leadership.lease, 0.0
            try:
                if lease is not None:
                    took_s = await self.build_due(lease)
            except SurefootError as error:
                outage.met(error)
            except Exception:
                log.exception("deltas-stopped")
            else:
                outage.over()
            await asyncio.sleep(max(LOOK_S, PAUSES * took_s))

    async def build_due(self, lease: Lease) -> float:
        """Build what is due now; return how many seconds finding that out took.

        Raises:
            Interrupted: `interrupted-lease`, another process leads.
        """
        per_release_max = self._services.settings.deltas_per_release
        began_s = time.monotonic()
        wanted = await self._services.read(lambda rows: due(rows, per_release_max))
        took_s = time.monotonic() - began_s
        for want in wanted:
            if want.delta_id not in self._given_up:
                await self._build(lease, want)
        return took_s

    async def _build(self, lease: Lease, want: Wanted) -> None:
        services, source, target = self._services, want.source, want.target
        if not await services.read(lambda rows: is_wanted(rows, want)):
            return
        began_s = time.monotonic()
        try:
            files = [
                await asyncio.to_thread(services.blobs.read, release.sha256, 0, release.size_bytes)
                for release in (source, target)
            ]
            delta = await self._make(*files)
        except SurefootError as error:
            self._given_up.add(want.delta_id)
            log.error("delta-not-built id=%s code=%s detail=%s", want.delta_id, error.code, error.message)
            return
        sha256 = hashlib.sha256(delta).hexdigest()
        if is_useful(want, len(delta)):
            await asyncio.to_thread(services.blobs.put, sha256, delta)

        def work(rows: Rows) -> bool:
            hold(rows, lease)
            return keep(rows, want, sha256, len(delta), services.now_s()) is not None

        if await services.write(work):
            took_s, percent = time.monotonic() - began_s, 100 * len(delta) / target.size_bytes
            versions = f"{source.sku} {source.version} {target.version}"
            log.info("delta-built %s bytes=%d share=%.0f%% took_s=%.1f", versions, len(delta), percent, took_s)
