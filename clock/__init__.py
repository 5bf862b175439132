"""Time as a parameter: every program takes its clock (时钟) from here and from nowhere else."""

from clock.clocks import Clock, ManualClock, SimulatedClock, SteppedClock, SystemClock, from_spec

__all__ = ["Clock", "ManualClock", "SimulatedClock", "SteppedClock", "SystemClock", "from_spec"]
