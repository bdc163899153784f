"""A world to test in: flash, bootloader, robots, and power that fails."""
