"""Bytes to values and back: every format, number, code and limit of the protocol, once."""
