"""The demonstration: one simulated day of a charging station, every program its own process."""
