"""`diantan-receiver balance`: energy and carbon of a station against its grid side, by slot, day or month."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

import clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.checks import carbon_balance, causes, load, month
from cloud_receiver.checks.carbon_balance import CarbonBalance
from cloud_receiver.checks.day import carbons, energies, local_time, whole
from cloud_receiver.checks.evaluate import SlotResult
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.checks.tolerance import Balance, SlotEnergy, balance, beside
from cloud_receiver.config import Checks
from cloud_receiver.local_days import days
from cloud_receiver.report import ReportError
from cloud_receiver.report_text import aligned, kg, kwh, percent
from diantan_core import next_day_start_ms, next_month_start_ms

_MOST_DAYS: Final = 400
_FIRST, _LAST = date(1971, 1, 1), date(9997, 12, 31)
_Results: TypeAlias = Mapping[int, SlotResult]
"""By the start of the slot, as stored."""


@dataclass(frozen=True, slots=True)
class _Line:
    time: str
    energy: Balance | None
    carbon: CarbonBalance | None
    more: Mapping[str, object]


def add_arguments(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add what the command takes."""
    common(parser)
    parser.add_argument("station")
    parser.add_argument(
        "--from",
        dest="first",
        type=days,
        required=True,
        metavar="DAY",
        help="a local day (2026-07-01) or month (2026-07)",
    )
    parser.add_argument(
        "--to", dest="last", type=days, metavar="DAY", help="likewise, included (default: what --from names)"
    )
    parser.add_argument("--per", choices=("slot", "day", "month"), default="day")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Show the balances of days that the checks have seen."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    station = stations.find(options.station)
    if station is None:
        raise ReportError(f"station {options.station!r} is not in {settings.registry}")
    first, last = options.first.first, (options.last or options.first).last
    if first > last:
        raise ReportError(f"--from {first} is after --to {last}")
    if (last - first).days >= _MOST_DAYS or not _FIRST <= first <= last <= _LAST:
        raise ReportError(f"--from {first} --to {last}: expected at most {_MOST_DAYS} days of 1971 to 9997")
    now_ms = clock.from_spec(options.clock).now_ms()
    engine = service.prepare(settings, stations)
    zone = ZoneInfo(station.timezone)
    span = tuple(
        int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000
        for day in (first, last + timedelta(days=1))
    )
    with database.reading(engine) as connection:
        context = next(item for item in load.contexts(connection, stations) if item.station.id == station.id)
        each = {"slot": _slots, "day": _days, "month": _months}[options.per]
        lines = list(each(connection, context, (span[0], span[1]), settings.checks, now_ms))
    engine.dispose()
    if options.json:
        _say(json.dumps([_object(line) for line in lines], ensure_ascii=False, indent=2))
        return
    rows = [list(_HEADINGS), *(_row(line) for line in lines)]
    for text in aligned(rows, right=range(1, len(_HEADINGS) - 2)):
        _say(text)
    only_orders = [meter.id for meter in context.meters.values() if meter.only_orders]
    if only_orders:
        _say(f"no balance by readings while chargers are known by their orders only: {', '.join(only_orders)}")


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


_HEADINGS: Final = (
    *("time", "slots", "chargers kWh", "auxiliary", "loss", "grid side", "imbalance", "tolerance", "%"),
    *("carbon imbalance kg", "tolerance", "bridged", "missing", "energy", "carbon"),
)


def _balances(
    context: Context,
    pairs: list[SlotEnergy],
    results: _Results,
    settings: Checks,
) -> tuple[Balance | None, CarbonBalance | None]:
    tally = carbon_balance.of(context, carbons(results, pairs))
    return (
        balance(context, pairs, settings.coverage_factor),
        carbon_balance.judge(context, tally, settings.coverage_factor),
    )


_Span = tuple[int, int]


def _results(connection: Connection, context: Context, span: _Span) -> Iterator[tuple[int, int, _Results]]:
    day_ms, end_ms = span
    while day_ms < end_ms:
        next_ms = next_day_start_ms(day_ms, context.station.timezone)
        yield day_ms, next_ms, load.results_of_day(connection, context.number, day_ms, next_ms)
        day_ms = next_ms


def _slots(connection: Connection, context: Context, span: _Span, settings: Checks, _: int) -> Iterator[_Line]:
    zone = ZoneInfo(context.station.timezone)
    for _, _, results in _results(connection, context, span):
        for slot in beside(context, energies(results, context)):
            found = _balances(context, [slot], results, settings)
            measured = {"measured": results[slot.start_ms]["balanced"]}
            yield _Line(local_time(slot.start_ms, zone)[:16], *found, measured)


def _days(connection: Connection, context: Context, span: _Span, settings: Checks, _: int) -> Iterator[_Line]:
    zone = ZoneInfo(context.station.timezone)
    for day_ms, end_ms, results in _results(connection, context, span):
        slots = whole(results, context)
        found = _balances(context, slots, results, settings)
        missing = (end_ms - day_ms - sum(slot.duration_ms for slot in slots)) // SLOT_MS
        yield _Line(local_time(day_ms, zone)[:10], *found, {"missing_slots": missing})


def _months(connection: Connection, context: Context, span: _Span, settings: Checks, now_ms: int) -> Iterator[_Line]:
    zone = ZoneInfo(context.station.timezone)
    begin_ms = context.station.since_ms
    if begin_ms is None:
        begin_ms = load.first_record_ms(connection, context.number, 0)
    digest = causes.digest(context.station)
    start_ms = month.start_ms(span[0], context.station.timezone)
    while start_ms < min(span[1], now_ms) and begin_ms is not None:
        found = month.make(connection, context, start_ms, settings, begin_ms=begin_ms, registry=digest)
        yield _Line(local_time(start_ms, zone)[:7], found.energy, found.carbon, found.gaps(zone))
        start_ms = next_month_start_ms(start_ms, context.station.timezone)


def _verdict(found: Balance | CarbonBalance | None) -> str:
    if found is None:
        return "none"
    return "within" if found.within else "BEYOND"


def _row(line: _Line) -> list[str]:
    energy, carbon = line.energy, line.carbon
    dashes = ["-"] * 8
    cells = (
        dashes
        if energy is None
        else [
            str(energy.slots),
            *map(kwh, (energy.chargers_mwh, energy.auxiliary_mwh, energy.loss_mwh, energy.grid_mwh)),
            *map(kwh, (energy.imbalance_mwh, energy.tolerance_mwh)),
            percent(energy.imbalance_mwh, energy.grid_mwh),
        ]
    )
    cells += ["-", "-"] if carbon is None else [kg(carbon.imbalance_ug), kg(carbon.tolerance_ug)]
    gaps = [str(line.more.get(name, "-")) for name in ("bridged_slots", "missing_slots")]
    return [line.time, *cells, *gaps, _verdict(energy), _verdict(carbon)]


def _object(line: _Line) -> dict[str, Any]:
    def told(found: Balance | CarbonBalance | None) -> dict[str, Any] | None:
        return None if found is None else found.evidence() | {"within": found.within}

    return {"time": line.time, "energy": told(line.energy), "carbon": told(line.carbon), **line.more}
