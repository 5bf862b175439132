"""What clocks that are off move over the edges of slots: honest stations are not accused for it, within the limit."""

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest
from checks_support import Centre, first, registers
from receiver_support import DAY_MS, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine

from cloud_receiver.checks.model import Context
from cloud_receiver.checks.tolerance import SlotEnergy, balance, beside
from cloud_receiver.registry import Meter, Registry, Role, Station

KWH = 1_000_000
CHARGERS, GRID = range(1, 21), 21
CHEAP_S = 23 * 3600
"""When the night's price begins, and most charges with it."""


def station(limit_s: int) -> Context:
    meters = {
        number: Meter(id=f"C{number:02}", role=Role.CHARGER, gateway="gw1", rated_kw=Decimal(120))
        for number in CHARGERS
    }
    meters[GRID] = Meter(id="G", role=Role.GRID, gateway="gw2", rated_kw=Decimal(3000), accuracy_class=Decimal("0.5"))
    values = {"id": "S1", "node": "node1", "meter": tuple(meters.values()), "time_uncertainty_s": limit_s}
    return Context(1, Station.model_validate(values), meters, {})


class Charger:
    """Charges of constant power: (begin, end, kW) in seconds of the day."""

    def __init__(self, draw: random.Random) -> None:
        self.charges: list[tuple[int, int, float]] = []
        at = draw.randrange(7200)
        while at < CHEAP_S - 3600:
            end = min(at + draw.randrange(900, 3600), CHEAP_S - 3600)
            self.charges.append((at, end, draw.uniform(40, 110)))
            at = end + draw.randrange(300, 9000)
        if draw.random() < 0.7:
            self.charges.append((CHEAP_S, 90_000, 90.0))

    def mwh(self, begin: float, end: float) -> float:
        shared = ((max(0.0, min(last, end) - max(start, begin)), power) for start, last, power in self.charges)
        return sum(seconds * power for seconds, power in shared) / 3600 * KWH


def slots(seed: int, ahead: list[float], *, stolen: frozenset[int] = frozenset()) -> Iterator[SlotEnergy]:
    """Yield a day by exact meters; the clock of each charger is so much behind the grid side's.

    In slots in which something is `stolen`, the grid side has 2 kWh that nobody counted.
    """
    draw = random.Random(seed)
    chargers = [Charger(draw) for _ in CHARGERS]
    for place in range(96):
        begin, end = place * 900, (place + 1) * 900
        energy = {
            number: (round(charger.mwh(begin - off, end - off)), 0)
            for number, charger, off in zip(CHARGERS, chargers, ahead, strict=True)
        }
        grid = sum(charger.mwh(begin, end) for charger in chargers) + (2 * KWH if place in stolen else 0)
        yield SlotEnergy(DAY_MS + place * SLOT_MS, energy | {GRID: (round(grid), 0)})


def beyond(context: Context, found: Iterator[SlotEnergy]) -> list[int]:
    judged = [(slot, balance(context, [slot], 2.0)) for slot in beside(context, list(found))]
    return [(slot.start_ms - DAY_MS) // SLOT_MS for slot, result in judged if result is not None and not result.within]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("limit_s", [1, 2, 60])
def test_a_grid_side_whose_clock_is_off_by_no_more_than_the_limit(limit_s: int, sign: int, seed: int) -> None:
    alike = [float(sign * limit_s)] * len(CHARGERS)
    assert beyond(station(limit_s), slots(seed, alike)) == []


@pytest.mark.parametrize("seed", range(5))
def test_chargers_whose_clocks_are_off_each_by_itself(seed: int) -> None:
    draw = random.Random(seed + 100)
    apart = [draw.uniform(-60, 60) for _ in CHARGERS]
    assert beyond(station(60), slots(seed, apart)) == []


def test_clocks_beyond_the_limit_are_found_where_many_begin_at_once() -> None:
    assert beyond(station(2), slots(1, [60.0] * len(CHARGERS)))


def test_what_is_taken_while_nobody_charges_is_found() -> None:
    """Where chargers stand idle before and after, clocks excuse nothing."""
    context, day = station(2), list(slots(1, [0.0] * len(CHARGERS)))
    known = beside(context, day)
    idle = [place for place, slot in enumerate(known) if not slot.beside & set(CHARGERS) and not any(slot.of(GRID))]
    assert idle
    assert beyond(context, slots(1, [0.0] * len(CHARGERS), stolen=frozenset(idle))) == idle


def test_who_counted_beside_a_slot() -> None:
    context = station(2)
    energies = [{1: (KWH, 0)}, {2: (0, KWH)}, {}, {3: (KWH, 0)}]
    day = [SlotEnergy(DAY_MS + place * SLOT_MS, energy) for place, energy in enumerate(energies)]
    found = [slot.beside for slot in beside(context, day)]
    everyone = frozenset(context.meters)
    assert found == [everyone, {1}, {2, 3}, everyone]
    alone = beside(context, [day[0], day[2]])
    assert [slot.beside for slot in alone] == [everyone, everyone]


def test_the_load_of_all_is_off_alike_or_each_by_itself() -> None:
    context = station(2)
    limit = 120 * KWH * 2 / 3600 / 3**0.5
    for count, expected in ((1, limit * 2**0.5), (2, limit * 2), (8, limit * 8)):
        counted = dict.fromkeys(range(1, count + 1), (KWH, 0)) | {GRID: (count * KWH, 0)}
        result = balance(context, [SlotEnergy(DAY_MS, counted)], 2.0)
        assert result is not None
        assert result.terms_mwh["time"] == pytest.approx(expected, abs=1)


def day_with(ahead_mwh: int) -> dict[str, list[int]]:
    """Return a day of one charge from 10:00 on, of which the grid side has a part in the slot before."""
    charge = [0] * 40 + [12 * KWH] * 8 + [0] * 48
    grid = charge.copy()
    grid[39], grid[40] = grid[39] + ahead_mwh, grid[40] - ahead_mwh
    return {"C01": charge, "G": grid}


@pytest.mark.parametrize(("ahead_s", "wrong"), [(2, False), (20, True)])
def test_a_charge_that_began_at_the_end_of_a_slot(
    ahead_s: int, *, wrong: bool, engine: Engine, gateway: FakeGateway
) -> None:
    centre = Centre(engine, gateway, Registry(station=(station_model(1, time_uncertainty_s=Decimal(2)),)))
    energies = day_with(48 * KWH * ahead_s // 3600)
    items = [item for name, values in energies.items() for item in registers(name, values, 0)]
    ordered = sorted(items, key=lambda item: item.start_ms)
    centre.store(ordered)
    found = [item for item in centre.check() if item.kind == "balance_slot"]
    assert bool(found) is wrong
    if wrong:
        # A slot beyond its tolerance is told with what clocks leave open in it.
        terms = first(found[0])["standard_uncertainty_mwh"]
        assert isinstance(terms, dict)
        assert terms["time"] > 0
