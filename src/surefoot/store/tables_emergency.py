"""Tables about who leads, what waits to be sent, and what went wrong."""

from sqlalchemy import Table

TABLE_OF: dict[type, Table] = {}
