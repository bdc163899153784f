"""The servers that bench/server.py compares, and the client it asks them with."""
