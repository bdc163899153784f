"""What a robot does: carries out the agent's effects through drivers and transports."""
