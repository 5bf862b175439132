"""A meter's own freezes asked now: through a real line, from the rows that the nightly freezes come from."""

import asyncio
import time
from typing import Any

from gateway_support import ORIGIN_MS, SLOT, Running, until
from remote_support import HOUR, command

from clock import Clock, SimulatedClock
from profiles import load
from profiles.modbus.codec import encode
from profiles.modbus.profile import ModbusProfile
from wire.commands import Outcome
from wire.orders import ReadDay, Verb
from wire.records import FreezeKind, FreezeSource
from wire.results import DayRead

PROFILE = load("sim-carbon-meter")
assert isinstance(PROFILE, ModbusProfile)
MIDNIGHT = ORIGIN_MS  # of a first of a month
DAY = 24 * HOUR


def frozen(time_ms: int) -> int:
    """Return the register at a midnight."""
    return 10**11 + 10**6 * (time_ms - MIDNIGHT) // 60_000


def registers(clock: Clock) -> Any:
    """Return a meter of 60 kW that keeps freezes of the last two midnights in rows 1 and 2."""

    def register(_unit: int, address: int) -> int:
        values: dict[int, int] = {}
        now = clock.now_ms()

        def put(point: Any, value: int, shift: int = 0) -> None:
            values.update(enumerate(encode(point, value), point.address + shift))

        put(PROFILE.points["energy_forward"], frozen(now))
        if now < MIDNIGHT:
            return values.get(address, 0)
        for name, before in (("daily_freezes", MIDNIGHT - DAY), ("monthly_freezes", MIDNIGHT - 31 * DAY)):
            table = PROFILE.tables[name]
            for row, time_ms in ((1, MIDNIGHT), (2, before)):
                shift = table.row_address(row) - table.address
                for column in table.columns:
                    known = {"time": time_ms, "energy_forward": frozen(time_ms), "energy_reverse": 0}
                    put(column, known.get(column.name, 77_000), shift)
        return values.get(address, 0)

    return register


def test_a_day_is_told_by_the_journal_and_by_the_meter(site: Any, responder: Any) -> None:
    """The gateway was there at one midnight only; the meter knows the one before, and both agree on theirs."""
    clock = SimulatedClock(MIDNIGHT - SLOT, 600, time.monotonic_ns() // 1_000_000)
    responder.registers = registers(clock)

    async def scenario() -> tuple[DayRead, DayRead]:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), clock)
            async with running as gateway:
                await until(lambda: clock.now_ms() > MIDNIGHT + SLOT)
                handler = gateway.remote.answerer._handlers[Verb.READ_DAY]
                found = []
                for number, from_meters in enumerate((False, True)):
                    answered = await handler(command(number, ReadDay("2025-12-31", (), from_meters)))
                    assert answered.outcome == Outcome.DONE
                    assert isinstance(answered.result, DayRead)
                    found.append(answered.result)
        return found[0], found[1]

    journal, meter = asyncio.run(scenario())
    assert {(one.record.time_ms, one.record.kind) for one in journal.freezes} == {
        (MIDNIGHT, FreezeKind.DAILY),
        (MIDNIGHT, FreezeKind.MONTHLY),
    }
    assert all(one.sequence > 0 and one.record.source != FreezeSource.METER for one in journal.freezes)
    assert journal.refused == {"meter-1": "the journal has no freeze of 2025-12-31 00:00+08:00"}
    assert [(one.sequence, one.record.time_ms, one.record.kind) for one in meter.freezes] == [
        (0, MIDNIGHT - DAY, FreezeKind.DAILY),
        (0, MIDNIGHT, FreezeKind.DAILY),
        (0, MIDNIGHT, FreezeKind.MONTHLY),
    ]
    for one in meter.freezes:
        assert one.record.source == FreezeSource.METER
        assert one.record.forward_total_mwh == frozen(one.record.time_ms)
        assert one.record.carbon_forward_total_ug == 77
    assert meter.refused == {}
