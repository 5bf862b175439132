"""A running gateway with a charger that logs its charge orders."""

import asyncio
from typing import Any

import pytest
from gateway_support import Running, intervals, journal_records, until

from agent.journal_check import verify
from profiles import load
from profiles.modbus.orders import RegisterOrders
from wire.charge_order import ChargeOrder
from wire.records import EventCode, EventRecord

SLOT = 900_000
ORDERS = load("sim-charger").orders
assert isinstance(ORDERS, RegisterOrders)
FIRST, COUNTER = ORDERS.address, ORDERS.counter.address
START_S = 1_767_100_000


class Log:
    """The registers of a log with so many orders, of 1 kWh more each; a row is empty where it has none."""

    def __init__(self, energies: Any, count: int) -> None:
        self.energies = energies
        self.count = count

    def register(self, unit: int, address: int) -> int:
        """Return one register."""
        assert isinstance(ORDERS, RegisterOrders)
        if address < COUNTER:
            return int(self.energies(unit, address))
        if address in (COUNTER, COUNTER + 1):
            return self.count if address == COUNTER + 1 else 0
        row, offset = divmod(address - FIRST, ORDERS.stride)
        order = row + 1
        if order > self.count:
            return 0
        energy = order * 10**6
        known = {
            1: order,
            2: 0x4E30,  # "N0" .. "N9"
            3: 0x3000 + (order << 8),
            18: START_S >> 16,
            19: START_S & 0xFFFF,
            20: START_S >> 16,
            21: (START_S & 0xFFFF) + 60,
            32: energy >> 16,
            33: energy & 0xFFFF,
        }
        return known.get(offset, 0)


def with_log(site: Any, port: int) -> Any:
    """Configure a charger with a log."""
    config = site.configure(broker_port=1, meter_ports=[port], poll=60)
    config.write_text(config.read_text().replace('"sim-carbon-meter"', '"sim-charger"'))
    return config


def orders(file: Any) -> list[ChargeOrder]:
    """Return the orders in a journal, in the order of their sequences."""
    return [
        ChargeOrder.from_details(record.details)
        for record in journal_records(file).values()
        if isinstance(record, EventRecord) and record.code == EventCode.CHARGE_ORDER
    ]


def test_orders_are_in_the_journal_once_each_over_restarts(
    site: Any, responder: Any, fast_clock: Any, registers_of: Any
) -> None:
    """With what is stored of them in the same transaction."""
    log = Log(registers_of(fast_clock), 2)
    responder.registers = log.register

    async def scenario() -> Any:
        async with responder.listening():
            config = with_log(site, responder.port)
            for count in (2, 3, 3, 5):
                log.count = count
                running = Running(config, fast_clock)
                asked = len(responder.requests)

                def looked(running: Running = running, asked: int = asked, count: int = count) -> bool:
                    looks = [request for request in responder.requests[asked:] if request.address == COUNTER]
                    return len(looks) > 1 and len(orders(running.file)) >= count

                async with running as gateway:
                    await until(looked)
                    assert gateway.health.figures()["orders_missed"] == 0
        return running.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = orders(file)
    assert [order.number for order in found] == [f"N0{number}" for number in range(1, 6)]
    assert [order.energy_mwh for order in found] == [number * 10**6 for number in range(1, 6)]
    assert {order.end_ms for order in found} == {1000 * (START_S + 60)}


@pytest.mark.parametrize("answer", ["refused", "another number of registers", "an empty row"])
def test_a_log_that_can_not_be_read_costs_no_energy(
    site: Any, responder: Any, fast_clock: Any, registers_of: Any, answer: str
) -> None:
    """The charger is read all the while, and nobody calls it silent."""
    log = Log(registers_of(fast_clock), 1)
    responder.registers = lambda unit, address: 0 if address > FIRST + 20 else log.register(unit, address)
    tried = 0

    async def spoil(request: Any, reply: bytes) -> bytes:
        nonlocal tried
        if request.address >= COUNTER:
            tried += 1
            if answer == "refused":
                return bytes(responder.exception(request, 2))
            if answer == "another number of registers":
                return bytes(responder.reply(request, count=1))
        return reply

    async def scenario() -> Any:
        async with responder.listening():
            responder.fault = spoil
            running = Running(with_log(site, responder.port), fast_clock)
            async with running:
                began = fast_clock.now_ms()
                await until(lambda: fast_clock.now_ms() > began + 6 * SLOT)
        return running.file

    file = asyncio.run(scenario())
    assert tried
    assert verify(file).problems == []
    records = list(journal_records(file).values())
    found = intervals(records, "meter-1")
    assert len(found) >= 5
    assert all(record.forward_mwh > 0 for record in found)
    assert sum(record.readings for record in found) >= len(found)
    before = found[0].forward_total_mwh - found[0].forward_mwh
    assert sum(record.forward_mwh for record in found) == found[-1].forward_total_mwh - before
    codes = {record.code for record in records if isinstance(record, EventRecord)}
    assert EventCode.METER_SILENT not in codes
    assert EventCode.CHARGE_ORDER not in codes
    assert (EventCode.CHARGE_ORDERS_MISSED in codes) == (answer == "an empty row")
