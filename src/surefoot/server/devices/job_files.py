"""Serves the files of jobs to devices made for AWS IoT, which fetch an address and show nothing beside it.

The bytes are those of the slot, wherever the file lies: these devices follow no redirects, and know no header of ours.
"""

from collections.abc import Mapping

from surefoot.fleet.aws_files import PREFIX, job_at, job_file
from surefoot.server.asgi import Response
from surefoot.server.devices.images import Served, bytes_response
from surefoot.server.devices.pieces import Pieces
from surefoot.server.devices.ranges import Span
from surefoot.server.services import Services

# The address is a secret, and ends with its job.
CACHE_CONTROL = b"no-store"


async def job_file_response(
    services: Services, pieces: Pieces, method: str, path: str, headers: Mapping[bytes, bytes]
) -> Response:
    """Answer GET or HEAD at a job's file; what GET sends counts against the downloads of the job's robot.

    Raises:
        Refused: `not-found-job-file`, `refused-download-limit`.
    """
    job_id = job_at(path.removeprefix(PREFIX), services.fleet.file_key)
    found = await services.read(lambda rows: job_file(rows, job_id))
    release, delivery = found.release, found.delivery
    served = Served(
        sha256=release.sha256,
        size_bytes=release.size_bytes,
        part=Span(offset_bytes=delivery.offset_bytes, length_bytes=delivery.size_bytes),
        etag=f'"{release.digest}"',
        cache_control=CACHE_CONTROL,
    )
    return await bytes_response(services, pieces, found.robot_id, method, served, headers)
