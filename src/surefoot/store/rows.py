"""The `Rows` port over one SQLAlchemy connection; the methods stand by noun in the modules beside this one."""

from surefoot.store.prefetch import Prefetch
from surefoot.store.rows_engine import EngineRows
from surefoot.store.rows_keyed import KeyedRows
from surefoot.store.rows_robots import RobotRows
from surefoot.store.rows_shown import ShownRows


class SqlRows(KeyedRows, RobotRows, EngineRows, ShownRows, Prefetch):
    """All rows inside one transaction."""
