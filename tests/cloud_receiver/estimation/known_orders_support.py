"""A simulated station whose chargers are known by their orders only, as rows of the store."""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from estimation_support import Site, replace_row, rows_of
from receiver_support import SLOT_MS, station_model
from sqlalchemy import insert

from cloud_receiver import database, row_counts
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.registry import Station
from cloud_receiver.schema import charge_order


class Sold(NamedTuple):
    """An order of a charger, counted from 0."""

    charger: int
    start_ms: int
    end_ms: int
    energy_mwh: int
    received_ms: int | None = None
    """None: as it ended."""
    journal: int | None = None


def only_orders(*numbers: int, by_hour: bool = False) -> Station:
    """Return station S1, with chargers (from 0) that are known by their orders only; `by_hour`: its master is read."""
    station = station_model()
    *chargers, grid = station.meter
    meters = [
        *(meter.model_copy(update={"only_orders": place in numbers}) for place, meter in enumerate(chargers)),
        grid.model_copy(update={"interval_s": 3600 if by_hour else 900}),
    ]
    return station.model_copy(update={"meter": tuple(meters)})


def orders_of(rows: Sequence[IntervalRow], numbers: Sequence[int], *, seed: int = 2) -> list[Sold]:
    """Return an order for every run of slots in which a charger counted something, begun and ended within slots.

    Up to twenty minutes of standing plugged in come after, as far as the charger's next run allows.
    """
    dice = random.Random(seed)
    result = []
    for place, number in enumerate(numbers):
        active = [row for row in rows if row.meter == number and row.forward_mwh]
        runs: list[list[IntervalRow]] = []
        for row in active:
            if runs and runs[-1][-1].end_ms == row.start_ms:
                runs[-1].append(row)
            else:
                runs.append([row])
        for run, after in zip(runs, [*runs[1:], None], strict=True):
            most = 1_200_000 if after is None else min(1_200_000, after[0].start_ms - run[-1].end_ms - 5000)
            end_ms = run[-1].end_ms - 3000 if most < SLOT_MS else run[-1].end_ms + dice.randrange(1000, most, 1000)
            result.append(Sold(place, run[0].start_ms + 3000, end_ms, sum(row.forward_mwh for row in run)))
    return sorted(result, key=lambda one: one.start_ms)


def store_orders(site: Site, orders: Sequence[Sold], *, first: int = 0) -> None:
    """Put orders into the store; `first`: number of the first."""
    numbers, station = site.numbers(), site.context().number
    with database.writing(site.engine) as connection:
        for place, one in enumerate(orders, first):
            connection.execute(
                insert(charge_order).values(
                    station=station,
                    meter=numbers[one.charger],
                    number=str(place),
                    version=1,
                    start_ms=one.start_ms,
                    end_ms=one.end_ms,
                    energy_mwh=one.energy_mwh,
                    source="csv" if one.journal is None else "gateway",
                    journal=one.journal,
                    made_by="test",
                    received_ms=one.end_ms if one.received_ms is None else one.received_ms,
                )
            )
        row_counts.add(connection, orders={station: len(orders)})


def hourly(rows: Sequence[IntervalRow], number: int) -> list[IntervalRow]:
    """Return the intervals of a meter as a utility gives them: by hours."""
    own = [row for row in rows if row.meter == number]
    return [
        replace_row(
            group[0],
            duration_ms=4 * SLOT_MS,
            forward_mwh=sum(row.forward_mwh for row in group),
            forward_total_mwh=group[-1].forward_total_mwh,
        )
        for group in (own[place : place + 4] for place in range(0, len(own), 4))
    ]


def quiet_rows(numbers: Sequence[int], days: int) -> list[IntervalRow]:
    """Return rows of a station that sells little enough to stand still now and then."""
    return rows_of(numbers, days, share=0.03)


def stepped(rows: Sequence[IntervalRow], step_mwh: int) -> list[IntervalRow]:
    """Return a meter's rows with a register of whole steps."""
    result = []
    for row in rows:
        opening, closing = (
            total - total % step_mwh for total in (row.forward_total_mwh - row.forward_mwh, row.forward_total_mwh)
        )
        result.append(replace_row(row, forward_mwh=closing - opening, forward_total_mwh=closing))
    return result


def prepared(
    site: Site, *alone: int, days: int, by_hour: bool = False, gap: range = range(0), step_kwh: int = 0
) -> list[Sold]:
    """Make chargers known by orders only; return all orders of the station, not stored yet.

    `gap`: of the master; `step_kwh`: of its register, where it isn't 0.01.
    """
    site.enter(only_orders(*alone, by_hour=by_hour))
    numbers = site.numbers()
    rows = quiet_rows(numbers, days)
    grid = hourly(rows, numbers[-1]) if by_hour else [row for row in rows if row.meter == numbers[-1]]
    seen = [number for place, number in enumerate(numbers[:-1]) if place not in alone]
    if step_kwh:
        grid = stepped(grid, step_kwh * 1_000_000)
        *chargers, master = site.station.meter
        master = master.model_copy(update={"resolution_kwh": Decimal(step_kwh)})
        site.enter(site.station.model_copy(update={"meter": (*chargers, master)}))
    if gap:
        before = [row for row in grid if row.start_ms < gap.start]
        grid = [*before, *(replace_row(row, journal=2) for row in grid if row.start_ms >= gap.stop)]
    site.store(sorted([*grid, *(row for row in rows if row.meter in seen)]))
    return orders_of(rows, numbers[:-1])
