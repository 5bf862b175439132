"""Meters that count the other way round by the registry (`inverted`): what is said is what is said of any others."""

from collections.abc import Callable, Sequence

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, rows_of
from faults_support import Rows
from known_orders_support import Sold, orders_of, prepared, store_orders
from named_faults_support import Make, charger, exchanged
from plant_support import Plant
from receiver_support import SLOT_MS, station_model
from sqlalchemy import update

from cloud_receiver import database
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import Done, estimate, nightly
from cloud_receiver.schema import interval
from wire.records import Quality

DAYS = 30
END = DAY + DAYS * LENGTH
DECISIONS = ["clear", "flag", "clear"]


def said(site: Site, days: int = DAYS) -> StationResult:
    settings = Estimation(days=days)
    return estimate(site.engine, site.context(), settings, DAY, DAY + days * LENGTH).result


def register(site: Site, places: Sequence[int]) -> None:
    """Let meters be registered as inverted, and no others."""
    meters = enumerate(site.station.meter)
    told = tuple(meter.model_copy(update={"inverted": place in places}) for place, meter in meters)
    site.enter(site.station.model_copy(update={"meter": told}))


def mount(site: Site, places: Sequence[int]) -> None:
    """Let meters have counted the other way round."""
    numbers = site.numbers()
    with database.writing(site.engine) as connection:
        connection.execute(
            update(interval)
            .where(interval.c.meter.in_([numbers[place] for place in places]))
            .values(
                forward_mwh=interval.c.reverse_mwh,
                reverse_mwh=interval.c.forward_mwh,
                forward_total_mwh=interval.c.reverse_total_mwh,
                reverse_total_mwh=interval.c.forward_total_mwh,
            )
        )


def turned(site: Site, places: Sequence[int], days: int = DAYS) -> StationResult:
    """Return what is said once meters are mounted and registered the other way round."""
    mount(site, places)
    register(site, places)
    return said(site, days)


@pytest.mark.parametrize("inverted", [(0,), (1,), (0, 1, 2), (3,), (0, 1, 2, 3)], ids=str)
def test_they_are_estimated_as_any_others(site: Site, inverted: tuple[int, ...]) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    before = said(site)
    assert [one.decision for one in before.chargers] == DECISIONS
    assert before.findings == ()
    assert turned(site, inverted) == before


def test_one_that_is_not_registered_so_is_negative(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    mount(site, [0])
    assert {"negative": ("C01",)}.items() <= {item.name: item.meters for item in said(site).findings}.items()


def partial(plant: Plant, numbers: list[int]) -> Rows:
    """Return a station in which every interval of C01 that counts anything lacks energy."""
    return [
        row._replace(quality=int(Quality.PARTIAL)) if row.meter == numbers[0] and row.forward_mwh else row
        for row in plant.station(numbers, (0.0,) * 5)
    ]


@pytest.mark.parametrize(
    ("make", "finding", "inverted"),
    [
        (exchanged, "registers_exchanged", (1, 2)),
        (charger(1000, 0), "beyond_power", (0,)),
        (charger(2 / 3, 0), "far_off", (0, 4)),
        (partial, "outside_windows", (0,)),
    ],
    ids=["labels", "power", "phase", "partial"],
)
def test_what_all_windows_show_is_shown(site: Site, make: Make, finding: str, inverted: tuple[int, ...]) -> None:
    site.enter(station_model(5))
    site.store(sorted(make(Plant(14), site.numbers())))
    before = said(site, 14)
    assert finding in {item.name for item in before.findings}
    assert turned(site, inverted, 14) == before


def own(places: list[int]) -> list[int]:
    return places


def crossed(places: list[int]) -> list[int]:
    return [places[1], places[0], places[2]]


def taken(places: list[int]) -> list[int]:
    return [places[1], places[2], places[0]]


@pytest.mark.parametrize(
    ("order", "finding"),
    [(own, None), (crossed, "swapped"), (taken, "orders_not_borne_out")],
    ids=["own", "crossed", "taken"],
)
@pytest.mark.parametrize("inverted", [(1,), (0, 1, 2)], ids=str)
def test_their_registers_bear_out_orders(
    site: Site, order: Callable[[list[int]], list[int]], finding: str | None, inverted: tuple[int, ...]
) -> None:
    numbers = site.numbers()
    rows = rows_of(numbers, DAYS)
    site.store(rows)
    store_orders(site, orders_of(rows, order(numbers[:3])))
    before = said(site)
    assert {item.name for item in before.findings} & {"swapped", "orders_not_borne_out"} == {finding} - {None}
    assert turned(site, inverted) == before


def test_a_master_shows_missing_orders_over_gaps(site: Site) -> None:
    middle = DAY + 10 * LENGTH
    orders = prepared(site, 0, 1, 2, days=DAYS, gap=range(middle, middle + 4 * SLOT_MS))
    kept = [one for one in orders if abs(one.start_ms - middle) >= LENGTH // 2]
    kept.append(Sold(0, middle - LENGTH // 2, middle + LENGTH // 2, 1_000_000))
    store_orders(site, sorted(kept, key=lambda one: one.start_ms))
    before = said(site)
    assert False in {item.whole for item in before.left_out}
    assert turned(site, [3]) == before


def night(site: Site, through_ms: int) -> Done:
    """Run a night, and keep what it leaves."""
    [done] = [
        one
        for one in nightly(site.engine, site.context(), Estimation(days=7, full_every_days=SELDOM), through_ms)
        if one is not None
    ]
    with database.writing(site.engine) as connection:
        store.keep(connection, site.context().number, done.result, through_ms)
        assert done.state is not None
        store.keep_state(connection, site.context().number, done.state)
    return done


def test_the_night_after_the_registry_is_corrected_takes_all_windows(site: Site) -> None:
    site.store(rows_of(site.numbers(), 14))
    mount(site, [0, 1, 2])
    register(site, [0, 1, 2])
    nights = [DAY + day * LENGTH for day in (7, 8, 9, 10)]
    assert [night(site, through_ms).result.full for through_ms in nights[:2]] == [True, False]
    register(site, [0])
    assert night(site, nights[2]).result.full
    register(site, [0, 1, 2])
    found = night(site, nights[3]).result
    assert found.full
    assert found.findings == ()
