"""The `Rows` port over one SQLAlchemy connection; the methods stand by noun in the modules beside this one."""

from surefoot.store.rows_releases import ReleaseRows
from surefoot.store.rows_robots import RobotRows
from surefoot.store.rows_rollouts import RolloutRows


class SqlRows(RobotRows, ReleaseRows, RolloutRows):
    """All rows inside one transaction."""
