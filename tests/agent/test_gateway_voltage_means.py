"""What a gateway makes of voltages: events in its journal, but none that would displace an energy."""

import asyncio
from typing import Any

import pytest
from gateway_support import ORIGIN_MS, Running, at_rest, journal_records, until

from agent.gateway import Gateway
from agent.journal_check import verify
from agent.journal_entry import Append
from agent.reading import Reading
from clock import ManualClock
from profiles import load
from profiles.modbus.model import RegisterPoint
from profiles.modbus.plan import ReadBlock
from wire.records import EventCode, EventRecord
from wire.row import from_body
from wire.voltage_means import QUARTER_MS, VoltageBlock, VoltageMean

HOUR_MS = 3_600_000
POINTS = load("sim-carbon-meter").points
VOLTAGE_MV = 230_120
POWER_MW = 60_000_000


def words(name: str, value: int) -> dict[int, int]:
    """Return the registers of a point by address."""
    point = POINTS[name]
    assert isinstance(point, RegisterPoint)
    raw = value // int(point.scale)
    return {point.address + i: raw >> 16 * (point.count - 1 - i) & 0xFFFF for i in range(point.count)}


SHOWN = {**words("power", POWER_MW), **words("voltage_a", VOLTAGE_MV), **words("voltage_b", VOLTAGE_MV)}


def test_means_of_a_running_gateway_are_in_its_journal(
    site: Any, responder: Any, fast_clock: Any, registers_of: Any
) -> None:
    """Six hours take twelve seconds; the first block begins with the first quarter that was read in both halves."""
    energies = registers_of(fast_clock)
    responder.registers = lambda unit, address: SHOWN.get(address) or energies(unit, address)

    def blocks(file: Any) -> list[EventRecord]:
        found = journal_records(file).values()
        return [item for item in found if isinstance(item, EventRecord) and item.code == EventCode.VOLTAGE_MEANS]

    async def scenario() -> Any:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            async with running:
                await until(lambda: bool(blocks(running.file)))
        return running.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    (event,) = blocks(file)
    block = VoltageBlock.from_details(event.details)
    assert (event.meter, event.time_ms) == ("meter-1", block.end_ms)
    assert ORIGIN_MS <= block.start_ms < block.end_ms <= ORIGIN_MS + 6 * HOUR_MS
    assert set(block.means) - {None} == {VoltageMean((VOLTAGE_MV,), POWER_MW)}


def read(gateway: Gateway, clock: ManualClock, until_ms: int, **more: Any) -> None:
    """Bring a reading every five minutes."""
    (block,) = load("sim-carbon-meter").plan([POINTS["voltage_a"], POINTS["power"]], "Asia/Shanghai")
    assert isinstance(block, ReadBlock)
    shown = [SHOWN.get(block.address + i, 0) for i in range(block.count)]
    blocks = ((block, b"".join(word.to_bytes(2, "big") for word in shown)),)
    while clock.wall_ms < until_ms:
        energy = POWER_MW * (clock.wall_ms - ORIGIN_MS) // HOUR_MS
        gateway.recorder.take(Reading("meter-1", gateway.time.now_ms(), energy, 0, blocks, **more))
        for _ in range(300):
            pass_second(clock, gateway)


def pass_second(clock: ManualClock, gateway: Gateway) -> None:
    """Let a second pass, at the end of which the gateway looks at its clock."""
    clock.elapsed_ms += 1000
    clock.wall_ms += 1000
    gateway.time.check()


def told(written: list[Append]) -> list[VoltageBlock]:
    """Return the blocks among what was written."""
    records = [from_body(row.body) for append in written for row in append.rows]
    return [
        VoltageBlock.from_details(record.details)
        for record in records
        if isinstance(record, EventRecord) and record.code == EventCode.VOLTAGE_MEANS
    ]


def test_whole_polls_are_taken_and_brief_ones_are_not(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(ORIGIN_MS)
    with at_rest(site, monkeypatch, clock) as (gateway, written):
        read(gateway, clock, ORIGIN_MS + HOUR_MS)
        read(gateway, clock, ORIGIN_MS + 2 * HOUR_MS, brief=True)
        read(gateway, clock, ORIGIN_MS + 6 * HOUR_MS + 1)
        (block,) = told(written)
    assert [number for number, mean in enumerate(block.means) if mean is None] == [4, 5, 6, 7]


@pytest.mark.parametrize("trouble", ["full", "no room"])
def test_without_room_in_the_journal_none_is_written(site: Any, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    clock = ManualClock(ORIGIN_MS)
    with at_rest(site, monkeypatch, clock) as (gateway, written):
        read(gateway, clock, ORIGIN_MS + HOUR_MS)
        if trouble == "full":
            gateway.writer.full = True
        else:
            monkeypatch.setattr(type(gateway.writer), "has_room", False)
        clock.wall_ms += 6 * HOUR_MS
        clock.elapsed_ms += 6 * HOUR_MS
        gateway.recorder.voltage_means.tell_due()
        assert told(written) == []
        assert gateway.recorder.voltage_means.dropped == 1


@pytest.mark.parametrize(("step_ms", "blocks"), [(HOUR_MS, 0), (-HOUR_MS, 0), (5_000, 1), (2 * 86_400_000, 0)])
def test_a_step_of_the_clock_throws_away_what_is_open(
    site: Any, monkeypatch: pytest.MonkeyPatch, step_ms: int, blocks: int
) -> None:
    """And while the clock settles, nothing is counted."""
    clock = ManualClock(ORIGIN_MS)
    with at_rest(site, monkeypatch, clock) as (gateway, written):
        read(gateway, clock, ORIGIN_MS + HOUR_MS)
        clock.step_wall(step_ms)
        for _ in range(20):
            pass_second(clock, gateway)
        monkeypatch.setattr(gateway.time, "check", lambda: None)  # it stays as unsettled as it is
        read(gateway, clock, clock.wall_ms + 100_000)
        clock.wall_ms += 7 * HOUR_MS
        clock.elapsed_ms += 7 * HOUR_MS
        gateway.recorder.voltage_means.tell_due()
        found = told(written)
    assert len(found) == blocks
    assert all(len(block.means) == 4 for block in found)


def test_nothing_is_counted_while_the_clock_is_being_set_right(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(ORIGIN_MS + 180_000)
    with at_rest(site, monkeypatch, clock) as (gateway, written):
        clock.step_wall(3_600_000)
        for _ in range(20):
            pass_second(clock, gateway)
        start_ms = gateway.time.now_ms()
        read(gateway, clock, start_ms + HOUR_MS)
        settled = gateway.time.state
        clock.wall_ms += 6 * HOUR_MS
        clock.elapsed_ms += 6 * HOUR_MS
        gateway.recorder.voltage_means.tell_due()
        (block,) = told(written)
    assert settled.name == "SYNCHRONISED"
    # The clock settles after five minutes: too late for the first half of that quarter.
    assert block.start_ms == -(-start_ms // QUARTER_MS) * QUARTER_MS
