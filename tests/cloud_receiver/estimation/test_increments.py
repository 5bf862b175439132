"""Days added are all windows at once to the bit: with sessions told, gaps, and a day on which clocks are changed."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, replace_row
from plant_support import Plant
from receiver_support import SLOT_MS, station_model
from sqlalchemy import insert

from cloud_receiver import database
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.load import LOOK_BACK_MS, Reader
from cloud_receiver.estimation.model import Setup, setup
from cloud_receiver.estimation.run import Done, Work, facts_of, nightly
from cloud_receiver.estimation.windows import StationWindows
from cloud_receiver.sales.order import CSV, Order
from cloud_receiver.sales.store import Told
from cloud_receiver.sales.store import enter as enter_orders
from cloud_receiver.schema import charge_order
from diantan_core import next_day_start_ms

ZONE = "Europe/Oslo"
BEGIN = int(datetime(2026, 10, 20, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
MOVE = BEGIN - DAY
DAYS = 9
SETTINGS = Estimation(days=5, full_every_days=SELDOM)
MIDNIGHTS = [BEGIN]
for _ in range(DAYS):
    MIDNIGHTS.append(next_day_start_ms(MIDNIGHTS[-1], ZONE))


def filled(site: Site, told: Callable[[int, float], bool], lost: Callable[[IntervalRow], bool]) -> None:
    site.enter(station_model(4, timezone=ZONE))
    plant, numbers, station = Plant(DAYS + 1, 4), site.numbers(), site.context().number
    with database.writing(site.engine) as connection:
        for charger in range(4):
            for place, (start_ms, end_ms, energy) in enumerate(plant.orders(charger)):
                if told(charger, (start_ms - DAY) / LENGTH):
                    times = {"start_ms": start_ms + MOVE, "end_ms": end_ms + MOVE, "energy_mwh": energy}
                    about = {"station": station, "meter": numbers[charger], "number": f"{charger}-{place}"}
                    source = {"version": 1, "source": "csv", "made_by": "test", "received_ms": end_ms + MOVE}
                    connection.execute(insert(charge_order).values(**times, **about, **source))
    rows = [replace_row(row, start_ms=row.start_ms + MOVE) for row in plant.station(numbers, (0.001, 0.002))]
    site.store(sorted(row for row in rows if not lost(row)))


def nights(site: Site, come: Callable[[int], None] = lambda _: None) -> list[Done]:
    """Run all nights, each from the store alone, as after a restart, when what had `come` until then is there."""
    done = []
    for through_ms in MIDNIGHTS[5:]:
        come(through_ms)
        for item in nightly(site.engine, site.context(), SETTINGS, through_ms):
            if item is not None:
                assert item.state is not None
                done.append(item)
                with database.writing(site.engine) as connection:
                    store.keep_state(connection, site.context().number, item.state)
                    store.keep(connection, site.context().number, item.result, through_ms)
    return done


def at_once(site: Site, first_ms: int, end_ms: int) -> tuple[Setup, StationWindows]:
    context = site.context()
    facts = facts_of(site.engine, context, first_ms, end_ms)
    made = setup(context, SETTINGS, facts, first_ms, end_ms)
    reader = Reader(site.engine, context.number, first_ms - LOOK_BACK_MS, end_ms, inverted=())
    *_, read = reader.days()
    assert read == len(reader)
    return made, Work(site.engine, context, SETTINGS, first_ms, end_ms)._windows(made, reader, first_ms)


def everything(_charger: int, _day: float) -> bool:
    return True


def nothing(_row: IntervalRow) -> bool:
    return False


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        (everything, nothing),
        (lambda charger, day: charger != 2 or day < 4, nothing),
        (lambda charger, day: charger != 2 or day > 6.5, nothing),
        (everything, lambda row: row.meter % 2 == 0 and row.start_ms // SLOT_MS % 37 == 3),
    ],
    ids=["all", "early", "late", "gaps"],
)
def test_days_added_are_all_windows_at_once(
    site: Site, told: Callable[[int, float], bool], lost: Callable[[IntervalRow], bool]
) -> None:
    filled(site, told, lost)
    found = nights(site)
    # In the night after the change of clocks the hours of the night are others.
    assert [item.result.full for item in found] == [True, True, False, False, False]
    said_at_once(site, found)


def test_orders_that_come_when_they_end_are_no_late_data_and_change_no_sums(site: Site) -> None:
    """Not even those that were open at the midnight: they begin before it, and come after its night."""
    filled(site, lambda *_: False, nothing)
    numbers = site.numbers()
    coming = sorted(
        (end_ms + MOVE, start_ms + MOVE, charger, energy)
        for charger in range(4)
        for start_ms, end_ms, energy in Plant(DAYS + 1, 4).orders(charger)
    )
    over = [start for end, start, *_ in coming for midnight in MIDNIGHTS[6:] if start < midnight < end]
    assert over

    def come(now_ms: int) -> None:
        items = []
        while coming and coming[0][0] <= now_ms:
            end_ms, start_ms, charger, energy = coming.pop(0)
            items.append(Told(numbers[charger], Order(str(start_ms), start_ms, end_ms, energy)))
        with database.writing(site.engine) as connection:
            enter_orders(connection, site.context().number, items, source=CSV, made_by="test", now_ms=now_ms)

    found = nights(site, come)
    assert [item.result.full for item in found] == [True, True, False, False, False]
    said_at_once(site, found)


def said_at_once(site: Site, found: list[Done]) -> None:
    """Check that the last of nights says what all windows at once do, with all that is known now."""
    assert found[1].state is not None
    first_ms = found[1].state.first_ms
    made, before = at_once(site, first_ms, MIDNIGHTS[6])
    _, whole = at_once(site, first_ms, MIDNIGHTS[-1])
    sums = made.estimator.begin(made.estimator.estimate(before.windows))
    sums.push(whole.windows)
    expected, said = sums.estimate(), found[-1].result
    assert said.windows == expected.windows
    assert [(one.error, one.u, one.probability) for one in said.chargers] == [
        (100 * one.error, 100 * one.u, one.probability) for one in expected.chargers
    ]
