"""Session files for tests of the replay."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from demo.replay.plan import ReplayPlan, make

HEADER = "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id\n"
FIRST = date(2019, 6, 10)


def session_file(path: Path, days: int = 4, plugs: int = 6) -> Path:
    """Write a file in which plug P1 has most sessions, P2 one less, and so on."""
    rows = []
    for day in range(days):
        on = FIRST + timedelta(days=day)
        rows += [
            f"{on} {hour:02}:00:00-07:00,{on} {hour:02}:50:00-07:00,5,{plug}.5,P{plug}\n"
            for plug in range(1, plugs + 1)
            for hour in range(8, 8 + plugs - plug + 1)
        ]
    path.write_text(HEADER + "".join(rows))
    return path


def plan_of(path: Path, *, seed: int = 1, altered: tuple[str, ...] = ("3.5", "-3")) -> ReplayPlan:
    """Return the replay of three days at five chargers."""
    return make(path, day=FIRST, days=3, chargers=5, seed=seed, altered=[Decimal(text) for text in altered])


__all__ = ["FIRST", "HEADER", "plan_of", "session_file"]
