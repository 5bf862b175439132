"""What comes late, or while a night reads, makes the next night take all windows; on both kinds of stores."""

from collections.abc import Callable, Iterator

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, rows_of
from intake_support import Bench, Message
from receiver_support import SLOT_MS, FakeGateway
from row_counts_support import counted, kept

from cloud_receiver import database
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.run import nightly
from cloud_receiver.sales.order import CSV, Order
from cloud_receiver.sales.store import Told
from cloud_receiver.sales.store import enter as enter_orders
from wire.records import EventCode, EventRecord, FactorQuality, IntervalRecord, Quality, Record

DAYS = 6
SETTINGS = Estimation(days=5, full_every_days=SELDOM)
NAMES = ("C01", "C02", "C03", "G")
MISSING = DAY + 100 * SLOT_MS
"""A slot of the second day that one charger's gateway keeps for a while."""


class Sending:
    """Station S1, whose gateway sends what the station counts."""

    def __init__(self, site: Site, gateway: FakeGateway) -> None:
        self.site = site
        self._gateway = gateway
        self._next = 1

    def send(self, *records: Record) -> None:
        for place in range(0, len(records), 64):
            part = list(records[place : place + 64])
            Bench(self.site.engine).take(Message(self._gateway.topic, self._gateway.envelope(self._next, part)))
            self._next += len(part)

    def night(self, through_ms: int, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Run a night, and let something happen while it reads; return whether it took all windows."""
        done = None
        number = self.site.context().number
        for item in nightly(self.site.engine, self.site.context(), SETTINGS, through_ms):
            if item is None:
                meanwhile()
                meanwhile = lambda: None  # noqa: E731  # once
            done = item
        assert done is not None
        assert done.state is not None
        with database.writing(self.site.engine) as connection:
            store.keep_state(connection, number, done.state)
            store.keep(connection, number, done.result, through_ms)
        return done.result.full


def record(name: str, row: IntervalRow) -> IntervalRecord:
    register = (row.forward_mwh, 0, row.forward_total_mwh, 0)
    carbon = (None, FactorQuality.UNDEFINED, 0, 0, 0, 0)
    return IntervalRecord(name, row.start_ms, row.duration_ms, *register, *carbon, 15, Quality.MEASURED)


@pytest.fixture
def sending(site: Site, gateway: FakeGateway) -> Iterator[tuple[Sending, list[Record]]]:
    """Return a station that has sent all but one interval, and that one."""
    numbers = site.numbers()
    names = dict(zip(numbers, NAMES, strict=True))
    rows = [record(names[row.meter], row) for row in rows_of(numbers, DAYS)]
    late: list[Record] = [row for row in rows if row.start_ms == MISSING and row.meter == "C01"]
    sender = Sending(site, gateway)
    sender.send(*(row for row in rows if row not in late))
    yield sender, late
    assert kept(site.engine) == counted(site.engine)


def nothing(_sender: Sending, _late: list[Record]) -> None:
    """Let nothing come."""


def the_interval(sender: Sending, late: list[Record]) -> None:
    sender.send(*late)


def means_of_voltage(sender: Sending, _late: list[Record]) -> None:
    sender.send(EventRecord("C01", MISSING, EventCode.VOLTAGE_MEANS, {}))


def an_event(sender: Sending, _late: list[Record]) -> None:
    sender.send(EventRecord("C01", MISSING, EventCode.GAP, {}))


def an_order(sender: Sending, _late: list[Record]) -> None:
    order = Order("1", MISSING, MISSING + SLOT_MS, 1_000_000)
    with database.writing(sender.site.engine) as connection:
        items = [Told(sender.site.numbers()[0], order)]
        enter_orders(connection, sender.site.context().number, items, source=CSV, made_by="x", now_ms=MISSING)


def an_order_told_by_the_gateway(sender: Sending, _late: list[Record]) -> None:
    order = Order("1", MISSING, MISSING + SLOT_MS, 1_000_000)
    sender.send(EventRecord("C01", MISSING + SLOT_MS, EventCode.CHARGE_ORDER, order.to_details()))


LATE = [
    (nothing, False),
    (means_of_voltage, False),
    (the_interval, True),
    (an_event, True),
    (an_order, True),
    (an_order_told_by_the_gateway, True),
]


@pytest.mark.parametrize(("what", "full"), LATE)
def test_what_comes_after_a_night_is_noticed_by_the_next(
    what: Callable[[Sending, list[Record]], None], sending: tuple[Sending, list[Record]], *, full: bool
) -> None:
    sender, late = sending
    assert sender.night(DAY + 4 * LENGTH)
    what(sender, late)
    assert sender.night(DAY + 5 * LENGTH) is full
    assert not sender.night(DAY + 6 * LENGTH)


@pytest.mark.parametrize(("what", "full"), LATE)
@pytest.mark.parametrize("in_added_day", [False, True], ids=["all windows", "a day added"])
def test_what_comes_while_a_night_reads_is_noticed_by_the_next(
    what: Callable[[Sending, list[Record]], None],
    sending: tuple[Sending, list[Record]],
    *,
    full: bool,
    in_added_day: bool,
) -> None:
    sender, late = sending
    if in_added_day:
        assert sender.night(DAY + 4 * LENGTH)
    # Whether it was read or not: the night has said what it said before it came.
    first = sender.night(DAY + (5 if in_added_day else 4) * LENGTH, lambda: what(sender, late))
    assert first is not in_added_day
    assert sender.night(DAY + 6 * LENGTH) is full


def test_what_comes_of_the_time_after_the_midnight_is_not_late(sending: tuple[Sending, list[Record]]) -> None:
    sender, _ = sending
    assert sender.night(DAY + 4 * LENGTH)
    sender.send(EventRecord("C01", DAY + 4 * LENGTH, EventCode.GAP, {}))
    assert not sender.night(DAY + 5 * LENGTH)
    sender.send(EventRecord("C01", DAY + 5 * LENGTH - 1, EventCode.GAP, {}))
    assert sender.night(DAY + 6 * LENGTH)


@pytest.mark.parametrize("hours", [1, 30], ids=["over the midnight", "over two"])
def test_an_order_over_midnights_is_not_late(sending: tuple[Sending, list[Record]], hours: int) -> None:
    """It ends, and comes, when the night up to the midnight was made: as most nights where vehicles stay overnight."""
    sender, _ = sending
    midnight_ms = DAY + 5 * LENGTH
    assert sender.night(midnight_ms)
    order = Order("1", midnight_ms - hours * 3_600_000, midnight_ms + 3_600_000, 1_000_000)
    with database.writing(sender.site.engine) as connection:
        items = [Told(sender.site.numbers()[0], order)]
        enter_orders(connection, sender.site.context().number, items, source=CSV, made_by="x", now_ms=order.end_ms)
    assert not sender.night(midnight_ms + LENGTH)


def test_a_state_that_counted_otherwise_makes_the_night_take_all_windows(
    sending: tuple[Sending, list[Record]],
) -> None:
    sender, _ = sending
    assert sender.night(DAY + 4 * LENGTH)
    with database.writing(sender.site.engine) as connection:
        connection.exec_driver_sql("UPDATE error_state SET rows = 4 * 96 * 4")
    assert sender.night(DAY + 5 * LENGTH)
