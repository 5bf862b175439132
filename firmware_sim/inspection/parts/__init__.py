"""The parts of the bench: time, sources, standard meters, pulses, devices under test, fast-forward."""
