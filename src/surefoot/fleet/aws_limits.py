"""What a release comes to for devices made for AWS IoT: their job's document, or why their firmware could not hold it.

It is looked at when the job is made, and before that by whoever plans a rollout: a device that gets no job only waits.
"""

from itertools import islice
from typing import Any

from surefoot.fleet.aws_document import job_id_of, make_document
from surefoot.fleet.aws_files import address_of
from surefoot.fleet.aws_jobs import JobsDevice
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.settings import FleetSettings
from surefoot.wire.errors import Refused

# Where the counters of a device live that has none itself.
EPOCH = "aws"
NAMED_MAX = 5
# Devices looked at for some to name.
NEWEST_MAX = 100
# Robots looked at for one that gets the release all the same: most fleets have it among the first.
LOOKED_MAX = 1000
# As long as assignments are called.
SOME_ID = "0" * 26


def job_document(rows: Rows, release: Release, job_id: str, settings: FleetSettings) -> dict[str, Any]:
    """Return the document of a job that brings a release.

    Raises:
        Refused: `refused-image-signature`, `refused-aws-limit`.
    """
    signature = rows.get(ImageSignature, release.release_id)
    if signature is None:
        detail = f"Release {release.release_id} has no signature over its image: publish it anew with its key."
        raise Refused("refused-image-signature", detail)
    protocols, address = settings.aws_protocols(release.sku), address_of(job_id, settings)
    return make_document(release, job_id, signature.der, protocols, address)


def require_a_robot(rows: Rows, release_id: str, settings: FleetSettings) -> None:
    """Refuse (`refused-aws-limit`, `refused-image-signature`) a release that no robot of its sku could get."""
    release = rows.get(Release, release_id)
    refusal = None if release is None else _refusal(rows, release, settings)
    if release is None or refusal is None:
        return
    looked = list(islice(rows.robot_ids(release.sku), LOOKED_MAX + 1))
    if len(looked) <= LOOKED_MAX and all(_is_device(rows, robot_id) for robot_id in looked):
        raise refusal


def warnings(rows: Rows, release: Release, settings: FleetSettings) -> list[str]:
    """Return what whoever brings a release to its sku should know, however large the fleet is."""
    refusal = _refusal(rows, release, settings)
    if refusal is None:
        return []
    newest = rows.find(JobsDevice, newest_first=True, limit=NEWEST_MAX, sku=release.sku)
    devices = (device.robot_id for device in newest if _is_device(rows, device.robot_id))
    names = ", ".join(islice(devices, NAMED_MAX))
    if not names:
        return []
    return [f"Devices made for AWS IoT, such as {names}, get no job: {refusal.message} [{refusal.code}]"]


def _refusal(rows: Rows, release: Release, settings: FleetSettings) -> Refused | None:
    """Return why devices of the release's sku get no job, None where there are none or they get one."""
    if not rows.find(JobsDevice, limit=1, sku=release.sku):
        return None
    try:
        job_document(rows, release, job_id_of(SOME_ID, 1), settings)
    except Refused as error:
        return error
    return None


def _is_device(rows: Rows, robot_id: str) -> bool:
    """Whether a robot asked for jobs and reports by no other way since."""
    if rows.get(JobsDevice, robot_id) is None:
        return False
    facts = rows.facts(robot_id)
    return facts is None or facts.report.epoch == EPOCH
