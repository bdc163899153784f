"""MQTT: the broker the server runs, and the server's own place at it."""
