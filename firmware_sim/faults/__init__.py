"""Faults of simulated meters and lines (故障注入): what can go wrong, when it does, and how somebody asks for it."""
