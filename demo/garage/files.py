"""The garage's files as its operator and its utility would hand them in, and the centre's registry of it.

Nothing is changed but for which lines and columns there are: orders of the units of this garage, with the unit as the
charger. A unit is a private parking space's (the user's), or one of the two that are shared.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

STATION: Final = "BL2"
MASTER: Final = "AMS"
ZONE: Final = "Europe/Oslo"
GARAGE: Final = "Bl2"
LARGEST_KW: Final = "7.4"
"""Of a unit: no order of 1 kWh or more had more on average."""
MASTER_STEP_KWH: Final = "0.05"
"""All its hours are multiples of it."""
STANDBY_W: Final = "39"
"""What the meter counts on average in the hours without a vehicle."""
_NONE: Final = "NA"
_HEADINGS: Final = ("number", "charger", "start", "end", "energy_kwh")


@dataclass(frozen=True, slots=True)
class Source:
    """The published files."""

    directory: Path

    @property
    def master(self) -> Path:
        """Energies of the utility's meter by hour."""
        return self.directory / "ams_garage_bl2.csv.gz"

    @property
    def sessions(self) -> Path:
        """Charging reports of all garages."""
        return self.directory / "ev_charging_reports.csv.gz"


@dataclass(frozen=True, slots=True)
class Garage:
    """The files of the centre."""

    directory: Path

    @property
    def config(self) -> Path:
        """The centre's configuration."""
        return self.directory / "receiver.toml"

    @property
    def orders(self) -> Path:
        """The orders of this garage."""
        return self.directory / "orders.csv"

    @property
    def key(self) -> Path:
        """The centre's private key."""
        return self.directory / "centre.key"


def lines_of(path: Path) -> Iterator[dict[str, str]]:
    """Yield the lines of a published file."""
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
        yield from csv.DictReader(text, delimiter=";")


def unit_of(line: dict[str, str]) -> str:
    """Return the unit that a session was at."""
    return line["User_ID"] if line["Shared_ID"] == _NONE else line["Shared_ID"]


def write_orders(source: Source, garage: Garage, altered: Mapping[str, Decimal]) -> list[str]:
    """Write the garage's orders; return its units. An end that is not known is left empty.

    `altered`: by how many per cent units count more than they did.
    """
    units = set()
    with garage.orders.open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text, delimiter=";", lineterminator="\n")
        table.writerow(_HEADINGS)
        for line in lines_of(source.sessions):
            if line["Garage_ID"] != GARAGE:
                continue
            unit = unit_of(line)
            units.add(unit)
            end = "" if line["End_plugout"] == _NONE else line["End_plugout"]
            energy = Decimal(line["El_kWh"].replace(",", ".")) * (1 + altered.get(unit, Decimal(0)) / 100)
            shown = str(energy.quantize(Decimal("0.01"))).replace(".", ",")
            table.writerow([line["session_ID"], unit, line["Start_plugin"], end, shown])
    return sorted(units)


def write_centre(garage: Garage, units: list[str]) -> None:
    """Write configuration and registry."""
    garage.config.write_text(
        'registry = "registry.toml"\n\n'
        '[centre]\nkey_file = "centre.key"\ndata_dir = "centre"\ndatabase = "sqlite:///centre/store.sqlite"\n'
    )
    meters = [
        _meter(unit, "charger", "operator", LARGEST_KW, only_orders="true", accuracy_class='"2"') for unit in units
    ]
    meters.append(_meter(MASTER, "grid", "utility", "75", interval_s="3600", resolution_kwh=f'"{MASTER_STEP_KWH}"'))
    (garage.directory / "registry.toml").write_text(
        f'[[station]]\nid = "{STATION}"\nname = "Risvollan Bl2"\nnode = "NO3"\ntimezone = "{ZONE}"\n'
        f'[station.auxiliary]\nload_w = "{STANDBY_W}"\n' + "".join(meters)
    )


def _meter(name: str, role: str, gateway: str, rated_kw: str, **more: str) -> str:
    lines = [f'id = "{name}"', f'role = "{role}"', f'gateway = "{gateway}"', f'rated_kw = "{rated_kw}"']
    lines += [f"{key} = {value}" for key, value in more.items()]
    return "\n[[station.meter]]\n" + "\n".join(lines) + "\n"
