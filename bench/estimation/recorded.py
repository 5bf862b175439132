"""Real sessions behind a master meter: arrivals, departures and energies as recorded, power within them drawn.

ACN-Data of two workplaces, Caltech and JPL, May to August 2019: read from `$DIANTAN_SHARED/data/sessions` (default
../shared), not part of the project.
"""

import csv
import gzip
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np

from bench.estimation.sites import AC, DAY_S, Arrivals, Floats, Station, behind, charging

ACN = replace(AC, name="acn")  # powers and fixed load of AC; how it is used stands in the records
FILES = ("caltech_2019-05-01_2019-08-31.csv.gz", "jpl_2019-05-01_2019-08-31.csv.gz")
LEAST_SESSIONS = 20  # of a connector in the span: one that is used less has no estimate to judge


@dataclass(frozen=True)
class Connector:
    """The sessions of one connector; seconds since local midnight before the first record."""

    starts_s: Floats
    ends_s: Floats
    kwh: Floats

    def between(self, first_s: float, last_s: float) -> "Connector":
        """Return the sessions that begin in a span, by seconds since it began."""
        inside = (self.starts_s >= first_s) & (self.starts_s < last_s)
        return Connector(self.starts_s[inside] - first_s, self.ends_s[inside] - first_s, self.kwh[inside])


def directory() -> Path:
    """Return where the records are looked for."""
    return Path(os.environ.get("DIANTAN_SHARED", "../shared")) / "data" / "sessions"


def missing() -> list[Path]:
    """Return the files that are not there."""
    return [path for path in (directory() / name for name in FILES) if not path.is_file()]


@cache
def connectors(path: Path) -> tuple[list[Connector], int]:
    """Return the connectors of a file, and how many whole days it spans."""
    spans: dict[str, list[tuple[datetime, datetime, float]]] = defaultdict(list)
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            arrival, departure = (datetime.fromisoformat(row[name]) for name in ("arrival", "departure"))
            spans[row["station_id"]].append((arrival, departure, float(row["delivered_energy (kWh)"])))
    every = sorted(each for own in spans.values() for each in own)
    midnight = every[0][0].replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for _, own in sorted(spans.items()):
        own.sort()
        starts = np.array([(arrival - midnight).total_seconds() for arrival, _, _ in own])
        ends = np.array([(departure - midnight).total_seconds() for _, departure, _ in own])
        found.append(Connector(starts, ends, np.array([kwh for _, _, kwh in own])))
    return found, (every[-1][0] - midnight).days


def station(days: int, dice: np.random.Generator) -> Station:
    """Draw a site, a span of days and 20 of the connectors used in it, and the power within their sessions."""
    every, spanned = connectors(directory() / FILES[int(dice.integers(len(FILES)))])
    first_s = float(dice.integers(0, spanned - days + 1)) * DAY_S
    used = [each.between(first_s, first_s + days * DAY_S) for each in every]
    used = [each for each in used if len(each.kwh) >= LEAST_SESSIONS]
    drawn = [used[place] for place in dice.choice(len(used), ACN.chargers, replace=False)]
    chargings = []
    for each in drawn:
        plateau = dice.uniform(ACN.low_kw, ACN.high_kw, len(each.kwh))
        arrivals = Arrivals(each.starts_s, each.kwh, plateau, each.ends_s - each.starts_s)
        chargings.append(charging(ACN, days, arrivals, dice))
    return behind(ACN, days, chargings, dice)
