"""The `Rows` port over one SQLAlchemy connection; the methods stand by noun in the modules beside this one."""

from surefoot.store.rows_assignments import AssignmentRows
from surefoot.store.rows_keyed import KeyedRows
from surefoot.store.rows_robots import RobotRows


class SqlRows(KeyedRows, RobotRows, AssignmentRows):
    """All rows inside one transaction."""
