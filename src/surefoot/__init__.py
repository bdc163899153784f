"""Firmware updates for robot fleets whose record equals what the robots run."""

__version__ = "0.1.0"
