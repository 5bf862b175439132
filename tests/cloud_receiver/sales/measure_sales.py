"""Measures the numbers of docs/sales.md: python tests/cloud_receiver/sales/measure_sales.py."""

import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, Engine, insert

from cloud_receiver import database, meters
from cloud_receiver.checks import load
from cloud_receiver.checks.model import Context
from cloud_receiver.delimited.zone import zone_of
from cloud_receiver.mistakes import Problems
from cloud_receiver.registry import Auxiliary, Loss, Meter, Registry, Role, Station
from cloud_receiver.sales import csv_file, day, store
from cloud_receiver.sales.chargers import Chargers
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.csv_file import Form
from cloud_receiver.sales.order import CSV, Order
from cloud_receiver.sales.record import Reading
from cloud_receiver.sales.store import Told
from cloud_receiver.sales.times import Times
from cloud_receiver.schema import interval

DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
SLOT_MS = 900_000
SLOTS = 96
CHARGERS, A_DAY, DAYS = 20, 25, 31
NOW_MS = DAY_MS + 40 * SLOTS * SLOT_MS
LINES = 100_000


def registry() -> Registry:
    """Return a station of 20 chargers with loss and auxiliaries."""
    chargers = [Meter(id=f"C{n}", role=Role.CHARGER, gateway="g", rated_kw=Decimal(60)) for n in range(CHARGERS)]
    grid = Meter(id="G", role=Role.GRID, gateway="g", rated_kw=Decimal(1200))
    loss = Loss(trunk_ohm=Decimal("0.004"), branch_ohm=Decimal("0.03"))
    auxiliary = Auxiliary(load_w=Decimal(400))
    return Registry(station=(Station(id="S1", node="n", meter=(*chargers, grid), loss=loss, auxiliary=auxiliary),))


def orders() -> Iterator[Told]:
    """Yield 25 orders a day and charger, of half an hour and 20 kWh each."""
    for meter in range(1, CHARGERS + 1):
        for date in range(-1, DAYS + 1):
            for place in range(A_DAY):
                start = DAY_MS + (date * SLOTS + place * 3) * SLOT_MS
                number = f"{meter}-{date}-{place}"
                yield Told(meter, Order(number, start, start + 2 * SLOT_MS, 20_000_000, 500_000, 300_000, 200_000))


def records(connection: Connection) -> None:
    """Enter the records of these, and the grid side's."""
    for meter in range(1, CHARGERS + 2):
        total, rows = 0, []
        for slot in range(-SLOTS, (DAYS + 1) * SLOTS):
            energy = 10_000_000 if slot % SLOTS < 3 * A_DAY and slot % SLOTS % 3 < 2 else 0
            energy = energy * CHARGERS + 100_000 if meter > CHARGERS else energy
            total += energy
            values = {"station": 1, "start_ms": DAY_MS + slot * SLOT_MS, "meter": meter, "journal": 1}
            values |= {"sequence": meter * 100_000 + slot, "duration_ms": SLOT_MS, "forward_mwh": energy}
            values |= {"reverse_mwh": 0, "forward_total_mwh": total, "reverse_total_mwh": 0, "factor_quality": 3}
            values |= {f"carbon_{name}_ug": 0 for name in ("forward", "reverse", "forward_total", "reverse_total")}
            rows.append(values | {"readings": 15, "quality": 0})
        connection.execute(insert(interval), rows)


def checked(engine: Engine, context: Context, date: int) -> float:
    """Return how many seconds of processor time a day takes."""
    span = DAY_MS + date * SLOTS * SLOT_MS, DAY_MS + (date + 1) * SLOTS * SLOT_MS
    with database.writing(engine) as connection:
        begin = time.process_time()
        day.findings(connection, context, span, Sales(), coverage_factor=2.0, now_ms=NOW_MS, over=True)
        return time.process_time() - begin


def imported(engine: Engine, context: Context, directory: Path) -> float:
    """Return how many seconds of processor time 100 000 lines take, read and stored as `sales import` does."""
    path = directory / "orders.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("number,charger,start,end,energy_kwh,amount,electricity_amount,service_amount\n")
        for line in range(LINES):
            hour = f"2027-{line % 12 + 1:02}-{line % 28 + 1:02} {line % 23:02}"
            file.write(f"n{line},C{line % CHARGERS},{hour}:00:00,{hour}:45:00,{line % 40}.25,20.00,15.00,5.00\n")
    begin = time.process_time()
    reading = Reading(Chargers(context), Times(zone_of("Asia/Shanghai")), Problems())
    told = csv_file.read(path, reading, Form()).told
    for place in range(0, len(told), 2000):
        with database.writing(engine) as connection:
            part = told[place : place + 2000]
            store.enter(connection, context.number, part, source=CSV, made_by="x", now_ms=NOW_MS)
    return time.process_time() - begin


def main() -> None:
    """Print the numbers."""
    stations = registry()
    with tempfile.TemporaryDirectory() as name:
        engine = database.open_store("sqlite:///store.sqlite", Path(name))
        database.upgrade(engine)
        with database.writing(engine) as connection:
            meters.enter_registry(connection, stations)
            context = load.contexts(connection, stations)[0]
            records(connection)
            everything = list(orders())
            store.enter(connection, 1, everything, source=CSV, made_by="x", now_ms=NOW_MS)
        say = sys.stdout.write
        say(f"a day of {CHARGERS} chargers, {CHARGERS * A_DAY} orders: {checked(engine, context, 10):.2f} s\n")
        say(f"with its month, {CHARGERS * A_DAY * DAYS} orders: {checked(engine, context, DAYS - 1):.2f} s\n")
        say(f"import of {LINES} orders: {imported(engine, context, Path(name)):.1f} s\n")
        engine.dispose()


if __name__ == "__main__":
    main()
