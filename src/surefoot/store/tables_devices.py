"""Tables about how robots prove who they are, and what they took."""

from sqlalchemy import Table

TABLE_OF: dict[type, Table] = {}
