"""Tables about devices made for AWS IoT Jobs: their job executions, and signatures that they check."""

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, LargeBinary, Table

from surefoot.fleet.aws_evidence import Active
from surefoot.fleet.aws_jobs import JobExecution, JobsDevice
from surefoot.fleet.aws_words import JobStatus
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.store.columns import ID, Encoded, as_json, metadata, nth
from surefoot.store.tables import releases, robots

TEXTS = as_json(dict, dict)

job_executions = Table(
    "job_executions",
    metadata,
    nth(),
    Column("job_id", ID, nullable=False),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("assignment_id", ID, nullable=False),
    Column("release_id", ID, ForeignKey(releases.c.release_id), nullable=False),
    Column("document", TEXTS, nullable=False),
    Column("queued_at_s", Double, nullable=False),
    Column("updated_at_s", Double, nullable=False),
    Column("status", Encoded(str, JobStatus), nullable=False),
    Column("details", TEXTS, nullable=False),
    Column("version_number", Integer, nullable=False),
    Column("started_at_s", Double),
    Column("ready_details", TEXTS),
    Column("active", Encoded(str, Active), nullable=False),
    Index("job_executions_by_id", "job_id", unique=True),
    Index("job_executions_by_robot", "robot_id", "status", "nth"),
)

image_signatures = Table(
    "image_signatures",
    metadata,
    nth(),
    Column("release_id", ID, ForeignKey(releases.c.release_id), nullable=False),
    Column("key_id", ID, nullable=False),
    Column("der", LargeBinary, nullable=False),
    Index("image_signatures_by_release", "release_id", unique=True),
)

jobs_devices = Table(
    "jobs_devices",
    metadata,
    nth(),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("since_s", Double, nullable=False),
    Column("sku", ID, nullable=False),
    Index("jobs_devices_by_robot", "robot_id", unique=True),
    Index("jobs_devices_by_sku", "sku", "nth"),
)

TABLE_OF: dict[type, Table] = {
    JobExecution: job_executions,
    JobsDevice: jobs_devices,
    ImageSignature: image_signatures,
}
