"""What a fleet decides: plans, phases, and which robot is next."""
