"""Honest acceptance of remote error estimation: stations with a known truth, and what is estimated from their readings.

The generator of truth (`sites`, `readings`) shares no code with the estimator in core: it draws sessions with power
profiles at seconds, true losses and meters, and gives away only what registers and orders would show.
"""

import os

# One thread a process: two processes share two cores, and a speed is that of one core. Read when numpy is loaded.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
