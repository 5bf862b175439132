"""What the nightly run takes at the centre: readings, orders and sums out of a store, the estimate back into it.

`python -m bench.estimation.nights`, and with the speed. Every night is a round of `Nights`, of one station at a time.
Alone, it goes on with what processes bring that share the nights of more stations (`shared_nights`).
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, insert, select

from bench.estimation.readings import START_MS, Conditions, Shown, drawn_errors, read
from bench.estimation.scenarios import SEED
from bench.estimation.sites import DC, station
from clock import ManualClock
from cloud_receiver import database, meters, row_counts, schema
from cloud_receiver.checks import load
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.estimation.claims import AT_ONCE, Taken
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet.config import Fleet
from cloud_receiver.estimation.load import DAY_MS
from cloud_receiver.estimation.night import Nights
from cloud_receiver.registry import Loss, Meter, Registry, Role, Station

SITES, HISTORY_DAYS, ADDED_DAYS = 4, 30, 7
CORES, TARGET_S, FLEET = 2, 600.0, 50_000
AFTER_MS = 3 * 3_600_000  # nights begin at half past two
_VOLTS = 400.0
_MWH = 1_000_000
_SETTINGS = Estimation(share_percent=100, fleet=Fleet(enabled=False))
_MESSAGE = ("journal", "first", "count", "topic", "kid", "created_ms", "received_ms", "clock_state", "envelope")


@dataclass(frozen=True)
class Night:
    """One station's night: whether it took all windows, and the CPU time in ms, with a share in what claims take."""

    full: bool
    cpu_ms: float


class Timed(Nights):
    """Nights that tell how much of their CPU time is for stations; the rest is for taking them, many at once."""

    stations_s = 0.0

    async def _make(self, taken: Taken) -> None:
        began = time.process_time()
        await super()._make(taken)
        self.stations_s += time.process_time() - began


def measure() -> list[str]:
    """Measure and return the lines to print."""
    found = nights(SITES, HISTORY_DAYS, ADDED_DAYS)
    days, fulls = ([one.cpu_ms for one in found if one.full is full] for full in (False, True))
    every = _SETTINGS.full_every_days
    head = f"nightly run out of a SQLite store, {DC.chargers} chargers, after {HISTORY_DAYS} d, one core, CPU time:"
    lines = [head, f"  all windows: {_text(fulls)}", f"  a day added: {_text(days)}"]
    if days:
        day, full = statistics.median(days), statistics.median(fulls)
        mean = ((every - 1) * day + full) / every
        for what, each in (("a day added to all", day), (f"a night, 1 in {every} with all windows", mean)):
            taken = each * FLEET / 1000 / CORES
            verdict = "met" if taken <= TARGET_S else f"missed by a factor of {taken / TARGET_S:.2g}"
            lines.append(
                f"  extrapolated to {FLEET} stations on {CORES} cores, {what}: {each:.1f} ms each, {taken:.0f} s; "
                f"target {TARGET_S:.0f} s: {verdict}"
            )
    return lines


def nights(sites: int, history_days: int, added_days: int) -> list[Night]:
    """Return the nights of some stations: the first over all of the history, then day by day.

    Those are a day added, but for each station's own day, and where what is said of a charger changes.
    """
    result = []
    with tempfile.TemporaryDirectory() as directory:
        engine = database.open_store("sqlite:///store.sqlite", Path(directory))
        try:
            database.upgrade(engine)
            filled = fill(engine, sites, history_days, history_days + added_days)
            runs = []
            for one in filled.stations:
                clock = ManualClock(wall_ms=START_MS)
                runs.append((one, clock, Timed(engine, Registry(station=(one,)), clock, _SETTINGS)))
            for days in range(history_days, history_days + added_days + 1):
                if days > history_days:
                    filled.enter(engine, range(days - 1, days))
                for one, clock, run in runs:
                    clock.wall_ms = START_MS + days * DAY_MS + AFTER_MS
                    run.stations_s, began = 0.0, time.process_time()
                    done = asyncio.run(run.round())
                    rest_s = time.process_time() - began - run.stations_s
                    took = 1000 * (run.stations_s + rest_s / AT_ONCE)
                    if done != 1:
                        raise RuntimeError(f"{one.id}: night {days}: expected 1 station estimated, found {done}")
                    result.append(Night(_full(engine, one, START_MS + days * DAY_MS), took))
        finally:
            engine.dispose()
    return result


def _full(engine: Engine, one: Station, through_ms: int) -> bool:
    """Return whether the last night of a station took all windows."""
    with database.reading(engine) as connection:
        asked = select(schema.error_state.c.full_ms).join(
            schema.station, schema.station.c.id == schema.error_state.c.station
        )
        return bool(connection.execute(asked.where(schema.station.c.name == one.id)).scalar_one() == through_ms)


@dataclass(frozen=True)
class Filled:
    """Stations of a store, and what they show in all days, those to come too."""

    stations: list[Station]
    shown: list[tuple[Context, Shown]]

    def enter(self, engine: Engine, days: range, told: Callable[[int], None] = lambda _: None) -> None:
        """Store what came in some days, up to the night after them: none finds what is of days to come."""
        for count, (context, one) in enumerate(self.shown, 1):
            _store(engine, context, one, days)
            told(count)


def fill(
    engine: Engine,
    sites: int,
    history_days: int,
    days: int,
    *,
    drawn: int | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Filled:
    """Store what stations show in their history, of some days in all; return what they are.

    `drawn`: how many are drawn by lot, each of which is stored several times then; None: all. `told`: is called with
    how many are stored.
    """
    lots = []
    for number in range(drawn or sites):
        dice = np.random.default_rng([SEED, number])
        errors = drawn_errors(DC.chargers, dice)
        lots.append(read(station(DC, days, dice), errors, Conditions(days=days), dice)[0])
        told(0)
    shown = [lots[number % len(lots)] for number in range(sites)]
    registry = Registry(station=tuple(_registered(number, one) for number, one in enumerate(shown)))
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
        contexts = load.contexts(connection, registry)
        for context in contexts:
            values = {"name": context.station.meter[0].gateway, "station": context.number, "added_ms": 0}
            connection.execute(insert(schema.gateway).values(id=context.number, **values))
            values = {"gateway": context.number, "context": b"12345678", "opened_ms": 0}
            connection.execute(insert(schema.journal).values(id=context.number, **values))
    filled = Filled(list(registry.station), list(zip(contexts, shown, strict=True)))
    filled.enter(engine, range(history_days), told)
    return filled


def _registered(number: int, shown: Shown) -> Station:
    gateway = f"g{number}"
    chargers = [
        Meter(id=f"C{place:02}", role=Role.CHARGER, gateway=gateway, rated_kw=Decimal(60), accuracy_class=Decimal(1))
        for place in range(len(shown.chargers))
    ]
    grid = Meter(id="G", role=Role.GRID, gateway=gateway, rated_kw=Decimal(1200), accuracy_class=Decimal("0.5"))
    trunk, branch = (
        Decimal(str(round(each * _VOLTS**2 / 1000, 6))) for each in (shown.design_trunk, shown.design_branch)
    )
    loss = Loss(trunk_ohm=trunk, branch_ohm=branch, fixed_w=Decimal(int(DC.fixed_kw * 1000)))
    return Station(id=f"S{number}", node="n", meter=(*chargers, grid), loss=loss)


def _store(engine: Engine, context: Context, shown: Shown, days: range) -> None:
    """Enter a station's intervals of some days, the messages that brought them, one a slot, and its orders."""
    # As the night after the last of them finds it: with what came since midnight.
    first_ms, last_ms = (START_MS + day * DAY_MS + AFTER_MS if day else START_MS for day in (days.start, days.stop))
    ids = {meter.id: number for number, meter in context.meters.items()}
    numbers = [ids[meter.id] for meter in context.station.meter]
    totals = np.rint(np.array([*shown.chargers, shown.master]) * _MWH).astype(np.int64).T.tolist()
    rows, messages = [], []
    for slot, (start_ms, before, after) in enumerate(zip(shown.times_ms, totals, totals[1:], strict=False)):
        if not first_ms <= start_ms < last_ms:
            continue
        end_ms, sequence = start_ms + SLOT_MS, slot * len(numbers)
        first = sequence + 1
        for number, old, new in zip(numbers, before, after, strict=True):
            sequence += 1
            key = (context.number, start_ms, number, context.number, sequence, SLOT_MS)
            rows.append((*key, new - old, 0, new, 0, 500_000, 0, 500, 0, 500, 0, 15, 0))
        rest = ("t", b"k" * 8, end_ms, end_ms + 2000, 1, b"e" * 600)
        messages.append((context.number, first, len(numbers), *rest))
    orders = [
        {
            "station": context.number,
            "meter": numbers[place],
            "number": f"{place}-{count}",
            "version": 1,
            "start_ms": start_ms,
            "end_ms": end_ms,
            "source": "csv",
            "made_by": "bench",
            "received_ms": end_ms,
            "energy_mwh": int(np.diff(np.interp([start_ms, end_ms], shown.times_ms, shown.chargers[place]))[0] * _MWH),
        }
        for place, spans in enumerate(shown.sessions_ms or [])
        for count, (start_ms, end_ms) in enumerate(spans)
        if first_ms <= end_ms < last_ms
    ]
    with database.writing(engine) as connection:
        columns = list(schema.interval.c.keys())
        connection.exec_driver_sql(database.insert_statement(schema.interval, columns, engine), rows)
        connection.exec_driver_sql(database.insert_statement(schema.message, _MESSAGE, engine), messages)
        if orders:
            connection.execute(insert(schema.charge_order), orders)
        row_counts.add(connection, records={context.number: len(rows)}, orders={context.number: len(orders)})


def _text(taken: list[float]) -> str:
    if not taken:
        return "none"
    return f"{min(taken):.1f} ms at best, {statistics.median(taken):.1f} ms in the middle of {len(taken)}"


if __name__ == "__main__":
    from bench.estimation import shared_nights

    print("\n".join([*measure(), *shared_nights.measure()]))
