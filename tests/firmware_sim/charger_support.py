"""What the tests of simulated chargers share: chargers with given sessions, and reading their order log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.charger import Charger, OrderSettings
from firmware_sim.circuit import Circuit
from firmware_sim.faults.book import FaultBook, Target
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.faults.model import parse_fault
from firmware_sim.layout import Layout
from firmware_sim.meter import MeterSettings
from firmware_sim.orders import Sold
from firmware_sim.registers import RegisterMap
from firmware_sim.sessions import Session, SessionCurve
from profiles import load
from profiles.modbus.orders import RegisterOrders
from profiles.modbus.plan import ReadBlock
from profiles.model import LoggedOrder

ZONE = "Asia/Shanghai"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR
PROFILE = load("sim-charger")
assert isinstance(PROFILE.orders, RegisterOrders)
LAYOUT: RegisterOrders = PROFILE.orders
KWH = 10**6


def session(arrival_h: float, kwh: float, hours: float = 5, *, reverse: bool = False) -> Session:
    arrival = START + int(arrival_h * HOUR)
    return Session(arrival, arrival + int(hours * HOUR), int(kwh * KWH), "car", reverse)


def charger(sessions: Sequence[Session], layout: RegisterOrders = LAYOUT, **meter: Any) -> Charger:
    curve = SessionCurve(
        START,
        ZoneInfo(ZONE),
        7 * KWH,
        lambda day: [
            one for one in sessions if datetime.fromtimestamp(one.arrival_ms / 1000, ZoneInfo(ZONE)).date() == day
        ],
    )
    return Charger(curve, Circuit(), MeterSettings(serial_number=42, **meter), OrderSettings(layout))


def settled(subject: Charger) -> list[Sold]:
    """Return the list into which its orders go."""
    found: list[Sold] = []

    def take(sold: Sold, _: int) -> Sequence[Sold]:
        found.append(sold)
        return (sold,)

    subject.settled = take
    return found


def read(registers: RegisterMap, layout: RegisterOrders, order: int, now_ms: int) -> LoggedOrder:
    count = counter(registers, layout, now_ms)
    values: dict[str, int] = {}
    for block in layout.order_blocks(order, count, ZONE):
        assert isinstance(block, ReadBlock)
        values |= block.decode(octets(registers, block, now_ms))
    assert values["count"] == count
    return layout.order(values, ZONE)


def octets(registers: RegisterMap, block: Any, now_ms: int) -> bytes:
    words = registers.read(block.function, block.address, block.count, now_ms)
    return b"".join(word.to_bytes(2, "big") for word in words)


def counter(registers: RegisterMap, layout: RegisterOrders, now_ms: int) -> int:
    block = layout.count_block()
    return block.decode(octets(registers, block, now_ms))["count"]


MANY = [session(hour * 0.6, 1, 0.3) for hour in range(36)]


def faulty(
    subject: Charger, faults: Sequence[dict[str, Any]] = (), layout: Any = PROFILE
) -> tuple[RegisterMap, FaultBook]:
    book = FaultBook({"c": Target("bus", "modbus", True, frozenset(PROFILE.points), sells=True)}, ZONE)
    for fault in faults:
        book.set(parse_fault(fault), START)
    meter = FaultyMeter("c", subject, book)
    return RegisterMap(meter, Layout(layout), meter.swapped, meter.order_row, ZONE), book
