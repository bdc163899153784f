"""The server: composition root, device plane and operator plane. It touches the world and decides nothing."""
