"""The garage entered and estimated by the commands that an operator would use."""

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from demo.garage.files import MASTER, STATION, ZONE, Garage, Source, write_centre, write_orders
from demo.processes import command

SPAN: Final = ("--from", "2019-01-02", "--to", "2020-02-01")


FIRST_MONTH: Final = "2019-02"
LAST_MONTH: Final = "2020-01"
"""Those of which all days are in the files."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the commands say, as their JSON has it."""

    sold: Sequence[dict[str, Any]]
    """What was sold against what was metered, by month, of the station."""
    whole: dict[str, Any]
    """The estimate of the year."""
    halves: tuple[dict[str, Any], dict[str, Any]]


class GarageError(RuntimeError):
    """A command that failed."""


def run(
    source: Source,
    garage: Garage,
    say: Callable[[str], None] = lambda _: None,
    *,
    altered: Mapping[str, Decimal] = MappingProxyType({}),
    figure: Path | None = None,
) -> Outcome:
    """Enter the files, balance what was sold, and estimate.

    `say`: commands and what they print. `altered`: by how many per cent units count more than they did.
    """
    units = write_orders(source, garage, altered)
    if unknown := sorted(altered.keys() - units):
        raise GarageError(f"unit {unknown[0]}: expected one of {', '.join(units)}")
    write_centre(garage, units)
    desk = _Desk(garage, say)
    desk.run("key", "new", garage.key.name, config=False)
    columns = ("--time", "date_from", "--until", "date_to", "--forward", "AMS_kWh")
    desk.run(
        *("readings", "import", str(source.master.resolve()), "--station", STATION, "--meter", MASTER, *columns),
        *("--skip-bad", "--enrol"),
        may_fail=True,
    )
    desk.run("sales", "import", garage.orders.name, "--station", STATION, "--skip-bad", may_fail=True)
    months = ("sales", "show", STATION, "--from", FIRST_MONTH, "--to", LAST_MONTH, "--by", "month", "--json")
    sold = [item for item in json.loads(desk.run(*months, may_fail=True, shown=False)) if item["charger"] is None]
    drawn = () if figure is None else ("--figure", str(figure.resolve()))
    desk.run("estimate", STATION, *SPAN, *drawn)
    whole = desk.estimate(*SPAN)
    if whole["halves"] is None:
        raise GarageError("too few units charged in both halves")
    split = datetime.fromtimestamp(whole["halves"]["split_ms"] / 1000, ZoneInfo(ZONE)).isoformat()
    halves = desk.estimate(*SPAN[:2], "--to", split), desk.estimate("--from", split, *SPAN[2:])
    return Outcome(sold, whole, halves)


class _Desk:
    """The centre's command line."""

    def __init__(self, garage: Garage, say: Callable[[str], None]) -> None:
        self._garage = garage
        self._write = say

    def run(self, *arguments: str, config: bool = True, may_fail: bool = False, shown: bool = True) -> str:
        """Run a command and return what it printed; `may_fail`: of lines that are left out it says so by its status."""
        where = ("--config", str(self._garage.config)) if config else ()
        self._say(f"\n$ diantan-receiver {shlex.join(arguments)}", shown=shown)
        line = command("diantan-receiver", *arguments, *where)
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=self._garage.directory)
        self._say((done.stdout + done.stderr).rstrip(), shown=shown)
        if done.returncode not in ((0, 1) if may_fail else (0,)):
            raise GarageError(f"diantan-receiver {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def estimate(self, *span: str) -> dict[str, Any]:
        """Return what an estimate's JSON has."""
        return dict(json.loads(self.run("estimate", STATION, *span, "--json", shown=False)))

    def _say(self, text: str, *, shown: bool) -> None:
        if shown:
            self._write(text)
