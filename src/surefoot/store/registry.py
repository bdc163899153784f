"""Which table keeps which kind of value.

Each of these tables numbers its rows in a column `nth`, and has a unique index on the column that is named like the
kind's first field.
"""

from sqlalchemy import Table

from surefoot.fleet.model import Key, Release, Rollout
from surefoot.store import (
    tables,
    tables_access,
    tables_aws,
    tables_devices,
    tables_emergency,
    tables_health,
    tables_plans,
    tables_trust,
)
from surefoot.store.columns import metadata

__all__ = ["TABLE_OF", "metadata"]

TABLE_OF: dict[type, Table] = {
    Key: tables.keys,
    Release: tables.releases,
    Rollout: tables.rollouts,
    **tables_access.TABLE_OF,
    **tables_aws.TABLE_OF,
    **tables_devices.TABLE_OF,
    **tables_emergency.TABLE_OF,
    **tables_health.TABLE_OF,
    **tables_plans.TABLE_OF,
    **tables_trust.TABLE_OF,
}
