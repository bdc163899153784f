"""Tables about who may operate the fleet, by which means, and what each of them did."""

from sqlalchemy import Table

TABLE_OF: dict[type, Table] = {}
