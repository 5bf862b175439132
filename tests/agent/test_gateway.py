"""The gateway with a real Modbus responder: restarts, wrong clocks, absurd registers, failing duties."""

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gateway_support import (
    ORIGIN_MS,
    Running,
    context,
    intervals,
    journal_records,
    silence,
    until,
)

from agent.journal import Journal
from agent.journal_check import open_read_only, verify
from agent.reading import Reading
from clock import SimulatedClock
from wire.records import ClockState, EventCode, EventRecord


def test_works_without_a_broker_and_stores_everything_at_the_end(site: Any, responder: Any, fast_clock: Any) -> None:
    """No broker at all: records are kept."""

    async def scenario() -> Path:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 3)
        return running.file

    assert verify(asyncio.run(scenario())).problems == []


def test_a_clock_that_went_back_over_a_restart_doubles_no_slot(site: Any, responder: Any) -> None:
    """The gateway wakes up an hour before its last record: time goes on from there, at half speed."""

    async def scenario() -> Path:
        started = time.monotonic_ns() // 1_000_000
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port])
            first = Running(config, SimulatedClock(ORIGIN_MS, 1800, started))
            async with first as gateway:
                await until(lambda: gateway.writer.next_sequence > 3)
            second = Running(config, SimulatedClock(ORIGIN_MS - 3_600_000, 1800, time.monotonic_ns() // 1_000_000))
            async with second as gateway:
                written = gateway.writer.next_sequence
                assert gateway.time.state == ClockState.STEPPED
                await until(lambda: gateway.writer.next_sequence > written + 3)
        return second.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = list(journal_records(file).values())
    starts = [row.start_ms for row in intervals(found, "meter-1")]
    assert starts == sorted(set(starts))
    assert EventCode.CLOCK_STEPPED in {record.code for record in found if isinstance(record, EventRecord)}


@dataclass
class Adjustable:
    """A fast clock whose wall time can be set wrong; a time service that says so."""

    clock: SimulatedClock
    wrong_ms: int = 0

    def now_ms(self) -> int:
        """Return the wall time."""
        return self.clock.now_ms() + self.wrong_ms

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)


@pytest.mark.parametrize("days", [-4000, 3, 4000])
def test_a_clock_that_was_wrong_by_years_and_is_corrected_costs_no_energy(
    site: Any, responder: Any, fast_clock: Any, registers_of: Any, days: int
) -> None:
    """Records go on at the wrong time and then at the right one; the registers' difference is in them exactly once."""
    clock = Adjustable(fast_clock)
    wrong_ms = days * 86_400_000
    responder.registers = registers_of(fast_clock)

    def newest(file: Path) -> int:
        rows = intervals(list(journal_records(file).values()), "meter-1")
        return rows[-1].start_ms if rows else 0

    async def scenario() -> Path:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), clock)  # type: ignore[arg-type]
            async with running as gateway:
                await until(lambda: newest(running.file) >= ORIGIN_MS)
                clock.wrong_ms = wrong_ms
                there = fast_clock.now_ms() + wrong_ms
                await until(lambda: abs(newest(running.file) - there) < 7_200_000)
                clock.wrong_ms = 0
                there = fast_clock.now_ms()
                await until(lambda: there < newest(running.file) < there + 7_200_000)
                assert gateway.health.figures()["timeout"] == 0
        return running.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = list(journal_records(file).values())
    rows = intervals(found, "meter-1")
    codes = [record.code for record in found if isinstance(record, EventRecord)]
    assert codes.count(EventCode.CLOCK_STEPPED) == 2
    assert not {EventCode.JUMP, EventCode.GAP, EventCode.TIME_BACK, EventCode.RESET} & set(codes)
    # What the meter counted, 1 kWh a minute, and nothing more or less; no rows for the years between.
    counted = 10**9 + 10**6 * (rows[-1].start_ms + rows[-1].duration_ms - ORIGIN_MS) // 60_000
    assert abs(rows[-1].forward_total_mwh - counted) < 5_000_000
    assert len(rows) < 100
    with closing(open_read_only(file)) as connection:
        states = {state for (state,) in connection.execute("SELECT DISTINCT clock_state FROM records")}
    assert ClockState.STEPPED in states


def test_a_line_that_fails_unexpectedly_starts_again(
    site: Any, responder: Any, fast_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the handling of one line is logged and does not end the gateway."""

    async def scenario() -> None:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            line = running.gateway.lines[0]
            poll, failures = line._poll, iter([True])

            async def failing(meter: Any, **more: Any) -> None:
                if next(failures, False):
                    raise RuntimeError("unforeseen")
                await poll(meter, **more)

            monkeypatch.setattr(line, "_poll", failing)
            async with running as gateway:
                await until(lambda: gateway.writer.next_sequence > 2)

    asyncio.run(scenario())


def test_a_first_reading_is_stored_at_once_and_an_exchange_is_not_forgotten(
    site: Any, responder: Any, fast_clock: Any
) -> None:
    """Else a crash before the first boundary would lose energy; and a held-back reading's exchange counts later."""

    async def scenario() -> None:
        responder.fault = silence
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            gateway = running.gateway
            async with running:
                now = fast_clock.now_ms() - 10_000
                gateway.recorder.take(Reading("meter-1", now, 10**9, 0, serial_number=7))
                assert await gateway.writer.flush()
                states = await gateway.writer.call(gateway.writer.journal.states)
                assert states["meter-1"][0]
                assert states["meter-1"][1] == 7
                gateway.writer._memory_records = 0
                gateway.recorder.take(Reading("meter-1", now + 1000, 5, 0, exchanged=True, serial_number=8))
                assert gateway.recorder.held_back == 1
                gateway.writer._memory_records = 100
                gateway.recorder.take(Reading("meter-1", now + 2000, 6, 0))
        events = [record for record in journal_records(running.file).values() if isinstance(record, EventRecord)]
        assert EventCode.EXCHANGE in {record.code for record in events}
        assert EventCode.RESET not in {record.code for record in events}
        # Nor is the new number: with the old one, the next start would see another exchange and lose energy.
        journal = Journal.open(running.file, now_ms=0, entropy=context)
        assert journal.states()["meter-1"][1] == 8
        journal.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("register", [-1, 2**63, 10**45])
def test_an_absurd_register_is_not_used_and_does_not_trouble_the_line(
    site: Any, responder: Any, fast_clock: Any, caplog: pytest.LogCaptureFixture, register: int
) -> None:
    """A float register may hold anything; the meter's neighbours on the line must not notice."""

    async def scenario() -> None:
        responder.fault = silence
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            gateway = running.gateway
            async with running:
                now = fast_clock.now_ms() - 10_000
                gateway.recorder.take(Reading("meter-1", now, 10**9, 0))
                gateway.recorder.take(Reading("meter-1", now + 1000, register, 0, exchanged=True, serial_number=8))
                gateway.recorder.take(Reading("meter-1", now + 2000, 6, 0))
        events = [record for record in journal_records(running.file).values() if isinstance(record, EventRecord)]
        assert EventCode.EXCHANGE in {record.code for record in events}

    asyncio.run(scenario())
    assert "meter-1" in {getattr(record, "about", None) for record in caplog.records}


def test_a_reading_that_the_next_one_does_not_bear_out_is_held_back(site: Any, responder: Any, fast_clock: Any) -> None:
    """The register fell once: no event, no record, one more in the health; its energy comes with the next reading."""

    async def scenario() -> None:
        responder.fault = silence
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            gateway = running.gateway
            async with running:
                now = fast_clock.now_ms() - 10_000
                for second, register in enumerate([4 * 10**8, 0, 4 * 10**8 + 500]):
                    gateway.recorder.take(Reading("meter-1", now + 1000 * second, register, 0))
                assert gateway.recorder.held_back == 1
                assert gateway.recorder.metering["meter-1"].last_time_ms == now + 2000
        events = [record for record in journal_records(running.file).values() if isinstance(record, EventRecord)]
        assert EventCode.RESET not in {record.code for record in events}

    asyncio.run(scenario())


def test_a_duty_that_fails_does_not_end_the_gateway(
    site: Any, responder: Any, fast_clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in a report is logged; metering goes on."""

    async def scenario() -> None:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)

            def fail() -> None:
                raise ValueError("unforeseen")

            monkeypatch.setattr(running.gateway.live, "publish", fail)
            async with running as gateway:
                await until(lambda: "a duty failed" in caplog.text)
                written = gateway.writer.next_sequence
                await until(lambda: gateway.writer.next_sequence > written)

    asyncio.run(scenario())
