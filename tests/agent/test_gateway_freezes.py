"""A running gateway with a meter that keeps its own freezes and tells the time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from gateway_support import ORIGIN_MS, SLOT, Running, journal_records, until

from agent.journal_check import verify
from clock import Clock, SimulatedClock
from profiles import load
from profiles.modbus.codec import encode
from profiles.modbus.profile import ModbusProfile
from wire.records import DetailKey, EventCode, EventRecord, FreezeRecord, FreezeSource

PROFILE = load("sim-carbon-meter")
assert isinstance(PROFILE, ModbusProfile)
MIDNIGHT = ORIGIN_MS
DAY = 86_400_000


class Meter:
    """Registers for 60 kW, today's freeze in row 1 of both tables, and a clock that may be wrong."""

    def __init__(self, clock: Clock, clock_off_ms: int = 0) -> None:
        self.clock = clock
        self.clock_off_ms = clock_off_ms
        self.rows_read = 0

    def energy(self, time_ms: int) -> int:
        """Return the forward register."""
        return 10**9 + 10**6 * (time_ms - MIDNIGHT) // 60_000

    def register(self, _unit: int, address: int) -> int:
        """Return one register."""
        values: dict[int, int] = {}
        now = self.clock.now_ms()

        def put(point: Any, value: int, shift: int = 0) -> None:
            values.update(enumerate(encode(point, value), point.address + shift))

        put(PROFILE.points["energy_forward"], self.energy(now))
        put(PROFILE.points["device_time"], now + self.clock_off_ms)
        for name in ("daily_freezes", "monthly_freezes"):
            table = PROFILE.tables[name]
            if address == table.address:
                self.rows_read += 1
            if now < MIDNIGHT + self.clock_off_ms:
                continue
            for column in table.columns:
                known = {"time": MIDNIGHT, "energy_forward": self.energy(MIDNIGHT), "energy_reverse": 0}
                put(column, known.get(column.name, 77_000))
        return values.get(address, 0)


def freezes(file: Any, source: Callable[[FreezeSource], bool]) -> list[FreezeRecord]:
    """Return the freezes of a journal from some source."""
    found = journal_records(file).values()
    return [record for record in found if isinstance(record, FreezeRecord) and source(record.source)]


def own(file: Any) -> list[FreezeRecord]:
    """Return those that are the meter's own."""
    return freezes(file, lambda source: source == FreezeSource.METER)


def test_each_midnight_is_told_once_as_the_gateways_and_as_the_meters(site: Any, responder: Any) -> None:
    """Also over a restart between midnight and the reading of the freeze, and over one after it."""
    clock = SimulatedClock(MIDNIGHT - SLOT, 600, time.monotonic_ns() // 1_000_000)
    meter = Meter(clock)
    responder.registers = meter.register

    async def scenario() -> Any:
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port], polls_only=False)
            first = Running(config, clock)
            async with first as gateway:
                await until(lambda: bool(freezes(first.file, lambda _: True)))
                assert gateway.health.figures()["freezes_awaited"] == 2
            second = Running(config, clock)
            async with second as gateway:
                await until(lambda: len(own(first.file)) == 2)
                assert gateway.health.figures()["freezes_read"] == 2
                assert gateway.health.figures()["freezes_awaited"] == 0
            third = Running(config, clock)
            async with third:
                there = clock.now_ms()
                await until(lambda: clock.now_ms() > there + 2 * SLOT)
        return first.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = own(file)
    assert len(found) == 2
    assert {record.kind for record in found} == {0, 1}
    for record in found:
        assert (record.time_ms, record.forward_total_mwh) == (MIDNIGHT, meter.energy(MIDNIGHT))
        assert (record.reverse_total_mwh, record.carbon_forward_total_ug) == (0, 77)
    assert len(freezes(file, lambda source: source != FreezeSource.METER)) == 2
    assert meter.rows_read == 2


def test_a_meter_whose_clock_is_wrong_is_reported_once(site: Any, responder: Any, fast_clock: Any) -> None:
    """Ten minutes slow, over a restart."""
    responder.registers = Meter(fast_clock, clock_off_ms=-600_000).register

    async def scenario() -> Any:
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port], polls_only=False)
            for _ in range(2):
                running = Running(config, fast_clock)
                async with running as gateway:
                    await until(lambda gateway=gateway: gateway.health.figures()["meter_clocks_off"] == 1)  # type: ignore[misc]
                    await until(lambda gateway=gateway: gateway.health.figures()["meter_clock_worst_ms"] < 0)  # type: ignore[misc]
        return running.file

    found = [record for record in journal_records(asyncio.run(scenario())).values() if isinstance(record, EventRecord)]
    (off,) = [record for record in found if record.code == EventCode.METER_CLOCK_OFF]
    # What the reply took on the way, at 1800 times real time.
    assert -720_000 < int(off.details[DetailKey.DEVIATION]) < -599_000
