"""Blocks of voltage means onto a grid: which block counts, and that nothing a gateway sends stops the reading."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Any

import pytest
from drops_support import blocks_of, means_of, sent
from estimation_support import DAY, LENGTH, Site
from receiver_support import SLOT_MS, enrol
from sqlalchemy import insert, select, update
from sqlalchemy.event import listen

from cloud_receiver import database
from cloud_receiver.estimation import retention, voltages
from cloud_receiver.estimation.voltages import CROWDED, MALFORMED, MOST_BLOCKS, UNTRUSTED, Voltages
from cloud_receiver.schema import event, gateway, journal, message
from wire.records import ClockState, EventCode
from wire.voltage_means import VoltageBlock, VoltageMean

DAYS = 2
END = DAY + DAYS * LENGTH


def read(site: Site, numbers: list[int], first_ms: int = DAY, end_ms: int = END) -> Voltages:
    found = Voltages(site.engine, site.context(), numbers, first_ms, end_ms)
    for until_ms in range(DAY, END + 2 * LENGTH, LENGTH):
        for _ in found.read(until_ms):
            pass
    return found


def shown(found: Voltages, number: int) -> list[tuple[int, float, float]]:
    """Return the quarters of which a meter's voltage is known, with voltage and power."""
    own = found.meters[number]
    [volts] = own.columns()
    return [(place, one, kw) for place, (one, kw) in enumerate(zip(volts, own.power_kw, strict=True)) if not isnan(one)]


def block(first: int, *volts: float | None, kw: float = 5.0) -> VoltageBlock:
    """Return a block whose first quarter is so many after the beginning."""
    [*means] = means_of([230.0 if one is None else one for one in volts], [kw] * len(volts))
    told = tuple(None if one is None else mean for one, mean in zip(volts, means, strict=True))
    return VoltageBlock(DAY + first * SLOT_MS, told)


def test_what_is_told_stands_where_it_belongs(site: Site) -> None:
    first, second, *_ = site.numbers()
    sent(site, first, [block(1, 231.0, None, 229.5), block(191, 228.0, 227.0)])
    sent(site, second, [block(-1, 226.0, 225.0)], first=50)
    found = read(site, [first, second])
    assert shown(found, first) == [(1, 231.0, 5.0), (3, 229.5, 5.0), (191, 228.0, 5.0)]
    assert shown(found, second) == [(0, 225.0, 5.0)]
    assert (found.blocks, found.left_out.total(), len(found.starts_ms)) == (3, 0, DAYS * 96)
    assert found.starts_ms[1] == DAY + SLOT_MS


@pytest.mark.parametrize("turned", [False, True])
def test_the_fuller_block_counts_and_of_two_alike_the_later(site: Site, *, turned: bool) -> None:
    number = site.numbers()[0]
    blocks = [block(0, 1.0, 2.0, 3.0), block(0, 4.0, None, 6.0), block(1, 20.0, 30.0, 40.0)]
    order = [(place, one) for place, one in enumerate(blocks)]
    for place, one in reversed(order) if turned else order:
        sent(site, number, [one], first=10 + place)
    assert [volts for _, volts, _ in shown(read(site, [number]), number)] == [1.0, 20.0, 30.0, 40.0]


def test_a_meter_that_counts_the_other_way_round_is_turned(site: Site) -> None:
    first, *others = site.station.meter
    site.enter(site.station.model_copy(update={"meter": (first.model_copy(update={"inverted": True}), *others)}))
    number = site.numbers()[0]
    sent(site, number, [block(0, 230.0, kw=-6.0)])
    assert shown(read(site, [number]), number) == [(0, 230.0, 6.0)]


def test_only_quarters_in_service_count(site: Site) -> None:
    first, *others = site.station.meter
    begin = datetime.fromtimestamp((DAY + SLOT_MS * 3 // 2) / 1000, UTC)
    end = datetime.fromtimestamp((DAY + SLOT_MS * 7 // 2) / 1000, UTC)
    served = first.model_copy(update={"since": begin, "until": end})
    site.enter(site.station.model_copy(update={"meter": (served, *others)}))
    number = site.numbers()[0]
    sent(site, number, [block(0, 1.0, 2.0, 3.0, 4.0, 5.0)])
    assert [place for place, *_ in shown(read(site, [number]), number)] == [2]


def test_the_phases_of_a_master_and_of_a_charger(site: Site) -> None:
    charger, other, *_, master = site.numbers()
    three = VoltageBlock(DAY, (VoltageMean((229_000, 230_000, 233_000), 1_000_000),) * 2)
    sent(site, charger, [three])
    sent(site, master, [three, block(2, 231.0)], first=50)
    sent(site, other, [three, block(2, 231.0, 232.0, 233.0)], first=70)
    found = read(site, [charger, other, master])
    for meter in (charger, master):
        columns = found.meters[meter].columns()
        assert [[*column[:2]] for column in columns] == [[229.0] * 2, [230.0] * 2, [233.0] * 2]
        assert all(isnan(column[2]) for column in columns)
    # Of a charger whose gateway tells the mean of its phases as a rule, all quarters count.
    [column] = found.meters[other].columns()
    assert [*column[:5]] == pytest.approx([230 + 2 / 3, 230 + 2 / 3, 231.0, 232.0, 233.0])
    sent(site, master, [block(3, *[231.0] * 20)], first=60)
    [column] = read(site, [charger, master]).meters[master].columns()
    assert [place for place, value in enumerate(column) if not isnan(value)] == [*range(2, 23)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda details: {},
        lambda details: {"x": 1},
        lambda details: details | {32: "no time"},
        lambda details: {key: value for key, value in details.items() if key != 33},
        lambda details: details | {36: "+1" * 100},
        lambda details: details | {32: details[32] + SLOT_MS},
    ],
)
def test_what_is_no_block_is_left_out_and_counted(
    site: Site, spoil: Callable[[dict[int, int | str]], dict[object, object]]
) -> None:
    number = site.numbers()[0]
    sent(site, number, [block(0, 230.0, 231.0)])
    sent(site, number, [block(4, 230.0, 231.0)], first=20, change=spoil)
    found = read(site, [number])
    assert (found.blocks, dict(found.left_out)) == (1, {CROWDED: 0, MALFORMED: 1})
    assert len(shown(found, number)) == 2


@pytest.mark.parametrize("details", ["[]", "null", "{", '{"32": {}}', '{"32": null}'])
def test_nothing_in_the_store_stops_it(site: Site, details: str) -> None:
    number = site.numbers()[0]
    sent(site, number, [block(0, 230.0)])
    with database.writing(site.engine) as connection:
        connection.execute(update(event).values(details=details))
    assert read(site, [number]).left_out[MALFORMED] == 1


def test_a_flood_from_one_meter_takes_nothing_from_another(site: Site) -> None:
    first, second, *_ = site.numbers()
    sent(site, first, [block(0, 230.0)] * (MOST_BLOCKS + 30))
    sent(site, second, [block(0, 229.0)], first=1000)
    found = read(site, [first, second])
    assert (found.left_out[CROWDED], found.blocks) == (30, MOST_BLOCKS + 1)
    assert len(shown(found, second)) == 1


def test_a_flood_is_neither_sorted_nor_held(site: Site) -> None:
    first, second, *_ = site.numbers()
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    listen(site.engine, "before_cursor_execute", note)
    read(site, [first, second])
    [statement, parameters] = next(one for one in asked if "event.details" in one[0])
    with database.reading(site.engine) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert [row for row in plan if "TEMP" in row.detail or "SCAN" in row.detail] == []


def test_no_step_of_a_hostile_station_does_more_than_another(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, master = site.numbers()
    for place, number in enumerate((first, second, third)):
        sent(site, number, [block(quarter, 230.0) for quarter in range(90)], journal=place + 1)
    sent(site, master, [block(2, 229.0)], journal=9)
    with database.writing(site.engine) as connection:  # a flood of what is no block, of a meter that nobody asks for
        connection.execute(
            insert(event),
            [
                {"station": site.context().number, "time_ms": DAY + 1 + place, "meter": 0, "journal": 1}
                | {"sequence": 10_000 + place, "code": int(EventCode.GAP), "details": "{}"}
                for place in range(100)
            ],
        )
    monkeypatch.setattr(voltages, "ROWS_AT_ONCE", 20)
    monkeypatch.setattr(voltages, "BLOCKS_AT_ONCE", 7)
    monkeypatch.setattr(voltages, "JOURNALS_AT_ONCE", 1)
    fetched: list[int] = []
    decoded: list[str] = []
    asked: list[str] = []

    class Counted(voltages.Voltages):
        def _pages(self, until_ms: int) -> Iterator[Sequence[Any]]:
            for page in super()._pages(until_ms):
                fetched.append(len(page))
                yield page

    take = VoltageBlock.from_details

    def count(details: dict[int, int | str]) -> VoltageBlock:
        decoded.append("")
        return take(details)

    monkeypatch.setattr(VoltageBlock, "from_details", count)
    listen(site.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    found = Counted(site.engine, site.context(), site.numbers(), DAY, END)
    done = []
    before = (0, 0, 0)
    for _ in found.read(DAY + LENGTH):
        now = (sum(fetched), len(decoded), sum("clock_state" in one for one in asked))
        done.append(tuple(later - earlier for later, earlier in zip(now, before, strict=True)))
        before = now
    assert (sum(fetched), found.blocks) == (90 * 3 + 1 + 100, 3 * MOST_BLOCKS + 1)
    assert max(rows for rows, *_ in done) == 20
    assert max(blocks for _, blocks, _ in done) == 7
    assert max(journals for *_, journals in done) == 1
    assert len(done) == -(-371 // 20) + 4 + (3 * MOST_BLOCKS + 1) // 7
    # The same as at once: the newest of each meter count.
    assert [place for place, *_ in shown(found, first)] == [*range(90 - MOST_BLOCKS, 90)]
    assert found.left_out[CROWDED] == 3 * (90 - MOST_BLOCKS)


def test_what_is_no_longer_kept_is_known(site: Site) -> None:
    number = site.numbers()[0]
    sent(site, number, [block(0, 230.0), block(100, 231.0)])
    assert read(site, [number]).kept_from_ms is None
    retention.remove(site.engine, DAY + LENGTH, END)
    found = read(site, [number])
    assert (found.kept_from_ms, found.blocks) == (DAY + LENGTH, 1)
    assert read(site, [number], first_ms=DAY + LENGTH).kept_from_ms is None


def test_a_block_of_a_clock_that_had_stepped_is_left_out(site: Site) -> None:
    number = site.numbers()[0]
    sent(site, number, [block(0, 230.0), block(1, 231.0)])
    enrol(site.engine, "gw1")
    with database.writing(site.engine) as connection:
        gateway_number = connection.execute(select(gateway.c.id)).scalar_one()
        connection.execute(insert(journal).values(id=1, gateway=gateway_number, context=b"journal1", opened_ms=DAY))
        told = {"topic": "t", "kid": bytes(8), "created_ms": 0, "received_ms": 0, "envelope": b""}
        stepped = int(ClockState.STEPPED)
        connection.execute(insert(message).values(journal=1, first=2, count=1, clock_state=stepped, **told))
    found = read(site, [number])
    assert (found.left_out[UNTRUSTED], [place for place, *_ in shown(found, number)]) == (1, [0])


def test_other_events_and_other_meters_are_not_asked(site: Site) -> None:
    first, second, *_ = site.numbers()
    site.exchanged(first, DAY + SLOT_MS)
    sent(site, second, blocks_of(means_of([230.0] * 10, [1.0] * 10)))
    found = read(site, [first])
    assert (found.blocks, found.left_out.total(), shown(found, first)) == (0, 0, [])
    assert [*found.meters] == [first]


def test_of_a_long_span_the_last_months_count(site: Site) -> None:
    found = Voltages(site.engine, site.context(), site.numbers(), DAY - 300 * LENGTH, END)
    assert len(found.starts_ms) == 90 * 96
    assert found.span_ms == (END - 90 * LENGTH, END)


def test_days_without_events_are_asked_for_once(site: Site) -> None:
    number = site.numbers()[0]
    end_ms = DAY + 12 * LENGTH
    sent(site, number, [block(9 * 96, 231.0)])
    asked: list[str] = []
    listen(site.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    found = Voltages(site.engine, site.context(), [number], DAY, end_ms)
    for until_ms in range(DAY + LENGTH, end_ms + LENGTH, LENGTH):
        for _ in found.read(until_ms):
            pass
    assert [place for place, *_ in shown(found, number)] == [9 * 96]
    # The first day, the one that has some, and the day after it.
    assert sum("event.details" in one for one in asked) == 3
