"""What a robot decides: events in, effects out, no I/O."""
