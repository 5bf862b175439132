"""The books out of the centre's store, as it is at this moment."""

from pathlib import Path

from sqlalchemy import create_engine

from cloud_receiver.grid import shelf
from demo.grid.books import DayBooks, day_books
from demo.grid.plan import GridPlan
from demo.grid.records import Slots, metered_slots


def read(store: Path, plan: GridPlan) -> tuple[DayBooks, Slots]:
    """Return the books of a plan's day, and what its meters recorded in each slot; nothing is written."""
    engine = create_engine(f"sqlite:///file:{store}?mode=ro&uri=true")
    try:
        with engine.connect() as connection:
            kept = list(shelf.slots(connection, plan.day_start_ms, plan.day_end_ms))
            grids = {known.id: known.grid for known in shelf.grids(connection).all}
            records = metered_slots(connection, plan.gateways, plan.day_start_ms, plan.day_end_ms)
    finally:
        engine.dispose()
    return day_books(plan.slots_ms, kept, grids, records, plan.metered), records
