"""Rows in SQL and files by their SHA-256: what the fleet knows, kept whatever moment the power fails."""
