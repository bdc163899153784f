"""Tables about signed metadata, the ceremony of a key rotation, and patches between images."""

from sqlalchemy import Table

TABLE_OF: dict[type, Table] = {}
