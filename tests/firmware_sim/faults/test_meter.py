"""Faults of a meter itself: registers, clock, and power lost in the middle of a write."""

import asyncio
from contextlib import nullcontext
from fractions import Fraction
from typing import Any

import pytest
from sim_support import DLT645, DLT698, HOUR, START, master_of, read_block, read_pdu, rtu, served, service_of

from clock import ManualClock
from diantan_core import dlt645_build
from firmware_sim.faces.base import PowerLostError
from firmware_sim.faults.book import FaultBook, Target
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.faults.model import parse_fault
from firmware_sim.meter import Meter

DAY = 24 * HOUR
MINUTE = 60_000


class Scene:
    def __init__(self, **changes: Any) -> None:
        self.plain: Meter = served("m", power_mw=6_000_000).meter  # 6 kW
        points = frozenset(served("m").profile.points)
        self.book = FaultBook({"m": Target("bus", "modbus", True, points)}, "Asia/Shanghai")
        self.meter = FaultyMeter("m", self.plain, self.book)

    def set(self, kind: str, now_ms: int = START, **document: Any) -> int:
        return self.book.set(parse_fault({"kind": kind, **document}), now_ms).number

    def value(self, point: str, now_ms: int) -> int:
        value = self.meter.values(now_ms)[point]
        assert value is not None
        return value

    def frozen(self, number: int, now_ms: int) -> int | None:
        return self.meter.row("daily_freezes", number, now_ms)["energy_forward"]


def test_a_meter_without_faults_is_the_meter() -> None:
    scene, twin = Scene(), served("m", power_mw=6_000_000).meter
    assert scene.meter.values(START + DAY) == twin.values(START + DAY)
    assert scene.meter.row("daily_freezes", 1, START + DAY) == twin.row("daily_freezes", 1, START + DAY)


def test_a_register_sticks_where_it_was_when_the_fault_began() -> None:
    scene = Scene()
    scene.set("stuck", point="energy_forward", after_s=3600, duration_s=3600)
    # Nobody reads while it begins: it is worked out for that moment all the same.
    assert scene.value("energy_forward", START + 90 * MINUTE) == 6_000_000
    assert scene.value("power", START + 90 * MINUTE) == 6_000_000
    assert scene.value("energy_forward", START + 2 * HOUR - 1) == 6_000_000
    assert scene.value("energy_forward", START + 2 * HOUR) == 12_000_000
    assert scene.book.counters["m"].faults == {"stuck": 1}


def test_a_register_sticks_at_a_value() -> None:
    scene = Scene()
    scene.set("stuck", point=["power", "power_a"], value="-1.5 kW")
    assert (scene.value("power", START), scene.value("power_a", START)) == (-1_500_000, -1_500_000)


def test_what_was_frozen_while_it_stuck_stays_wrong() -> None:
    scene = Scene()
    number = scene.set("stuck", point="energy_forward", after_s=36 * 3600, duration_s=86400)
    now = START + 2 * DAY + HOUR
    assert (scene.frozen(1, now), scene.frozen(2, now)) == (36 * 6_000_000, 24 * 6_000_000)
    now = START + 3 * DAY + HOUR
    assert (scene.frozen(1, now), scene.frozen(2, now)) == (72 * 6_000_000, 36 * 6_000_000)
    scene.book.clear(number, now)
    assert scene.frozen(2, now) == 36 * 6_000_000


def test_a_cleared_fault_is_over_at_once() -> None:
    scene = Scene()
    number = scene.set("stuck", point="power", value=0)
    assert scene.value("power", START + 1) == 0
    scene.book.clear(number, START + 2)
    assert scene.value("power", START + 2) == 6_000_000
    assert scene.book.on_meter("m") == []


def test_a_register_rolls_over_at_a_value() -> None:
    scene = Scene()
    scene.set("rollover", point="energy_forward", at="10 kWh")
    assert scene.value("energy_forward", START + HOUR) == 6_000_000
    assert scene.value("energy_forward", START + 100 * MINUTE) == 0
    assert scene.value("energy_forward", START + 2 * HOUR) == 2_000_000


def test_a_register_stands_just_before_it_rolls_over() -> None:
    scene = Scene()
    scene.set("rollover", point="energy_forward", at="800000 kWh", left="3 kWh", after_s=3600)
    assert scene.value("energy_forward", START + HOUR - 1) < 6_000_000
    assert scene.value("energy_forward", START + HOUR) == 799_997_000_000
    assert scene.value("energy_forward", START + 90 * MINUTE) == 0
    assert scene.value("energy_forward", START + 2 * HOUR) == 3_000_000
    assert scene.frozen(1, START + DAY) == (24 - 1.5) * 6_000_000


def test_a_clock_drifts_while_the_fault_lasts() -> None:
    scene = Scene()
    scene.set("clock-drift", ppm=100, after_s=1000, duration_s=10_000)
    scene.set("clock-drift", ppm=-50, after_s=6000, duration_s=5_000)
    offsets = [scene.value("device_time", START + at * 1000) - START - at * 1000 for at in (1000, 6000, 11_000, 20_000)]
    # 100 ppm over 5000 s, then 100 - 50 ppm over 5000 s; afterwards it runs well again and keeps its offset.
    assert offsets == [0, 500, 750, 750]
    assert scene.plain.drift_ppm == Fraction(0)


def test_a_clock_jumps_once_and_stays_so() -> None:
    scene = Scene()
    number = scene.set("clock-jump", by_ms=-3 * HOUR, after_s=3600)
    assert scene.value("device_time", START + HOUR - 1) == START + HOUR - 1
    assert scene.value("device_time", START + HOUR) == START - 2 * HOUR
    scene.book.clear(number, START + 2 * HOUR)
    assert scene.value("device_time", START + 3 * HOUR) == START
    scene.meter.apply("clock", {"time": START + 4 * HOUR}, START + 4 * HOUR)
    assert scene.value("device_time", START + 4 * HOUR) == START + 4 * HOUR


def test_a_jump_to_no_time_is_logged_and_the_meter_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    for _ in range(9):
        scene.set("clock-jump", by_ms=10 * 366 * DAY)
    assert scene.value("device_time", START) > START
    assert "the clock goes from 0 to" in caplog.text


SLOT = START + HOUR
WRITE = {"time": SLOT, "carbon_factor": 400_000}
POWER_LOST = pytest.raises(PowerLostError)


@pytest.mark.parametrize(("outcome", "factor"), [("whole", 400_000), ("none", 581_000)])
def test_a_write_in_which_the_power_goes_is_there_or_not(outcome: str, factor: int) -> None:
    scene = Scene()
    scene.set("power-cut", outcome=outcome, dark_s=30)
    with nullcontext() if outcome == "whole" else POWER_LOST:
        scene.meter.apply("factor", WRITE, SLOT)
    assert scene.meter.is_dark(SLOT)
    assert scene.meter.is_dark(SLOT + 30_000)
    assert not scene.meter.is_dark(SLOT + 30_001)
    assert scene.value("carbon_factor", SLOT + MINUTE) == factor
    scene.meter.apply("factor", {**WRITE, "carbon_factor": 300_000}, SLOT + MINUTE)  # only the first one is hit
    assert scene.value("carbon_factor", SLOT + MINUTE) == 300_000
    assert scene.book.counters["m"].faults == {"power-cut": 1}


def test_without_power_nothing_is_stored() -> None:
    scene = Scene()
    scene.set("power-cut", dark_s=30)
    for time_ms in (SLOT, SLOT + 1_000):
        with POWER_LOST:
            scene.meter.apply("factor", WRITE, time_ms)
    assert scene.value("carbon_factor", SLOT + MINUTE) == 581_000


def test_half_a_factor_is_a_slot_with_the_old_factor() -> None:
    scene = Scene()
    scene.set("power-cut", outcome="half")
    with POWER_LOST:
        scene.meter.apply("factor", WRITE, SLOT)
    values = scene.meter.values(SLOT)
    assert (values["carbon_factor"], values["carbon_factor_start"]) == (581_000, SLOT)


def test_half_a_clock_is_the_date_with_the_old_time_of_day() -> None:
    scene = Scene()
    scene.set("power-cut", outcome="half")
    with POWER_LOST:
        scene.meter.apply("clock", {"time": START + 3 * DAY + 20 * HOUR}, START + 2 * HOUR)
    assert scene.value("device_time", START + 2 * HOUR) == START + 3 * DAY + 2 * HOUR


def test_what_has_no_halves_is_not_stored() -> None:
    scene = Scene()
    scene.set("power-cut", outcome="half")
    with POWER_LOST:
        scene.meter.apply("factor_history_day", {"day": 1}, START + 2 * DAY)
    assert scene.meter.row("factor_history", 1, START + 2 * DAY)["time"] == START + 2 * DAY


@pytest.mark.parametrize(("outcome", "stored"), [("whole", range(24)), ("half", range(12)), ("none", range(0))])
def test_a_day_of_factors_in_which_the_power_goes(outcome: str, stored: range) -> None:
    """They are one write: half of it is the morning."""
    scene = Scene()
    scene.set("power-cut", outcome=outcome)
    for hour in range(24):
        with nullcontext() if outcome == "whole" else pytest.raises(PowerLostError):
            scene.meter.apply("factor", {"time": START + hour * HOUR, "carbon_factor": 100_000 + hour}, START)
    found = [scene.plain.factor_at(START + hour * HOUR) for hour in range(24)]
    assert [factor == 100_000 + hour for hour, factor in enumerate(found)] == [hour in stored for hour in range(24)]
    assert scene.book.counters["m"].faults == {"power-cut": 1}


def test_a_write_that_the_meter_refuses_still_costs_its_power() -> None:
    scene = Scene()
    scene.set("power-cut", outcome="whole")
    with pytest.raises(ValueError, match="a slot starts at a multiple of 15 min"):
        scene.meter.apply("factor", {"time": START + 1, "carbon_factor": 1}, START)
    assert scene.meter.is_dark(START)


# On the line


def test_power_lost_in_a_write_is_silence_on_the_line() -> None:
    set_clock = bytes((16, 0x40, 0x10, 0, 4, 8)) + (START + HOUR).to_bytes(8, "big")
    confirmed = rtu(1, set_clock[:5])
    ask_b, reply_b = rtu(2, bytes((6, 0x40, 0x20, 0, 0))), rtu(2, bytes((6, 0x40, 0x20, 0, 0)))

    async def run() -> dict[str, Any]:
        clock = ManualClock(START)
        faults = [{"kind": "power-cut", "meter": "a", "outcome": "whole", "dark_s": 10}]
        service = service_of(served("a", unit=1), served("b", unit=2), clock=clock, faults=faults, transport="pty")
        async with master_of(service) as master:
            master.send(rtu(1, set_clock) + ask_b)
            assert await master.receive(8) == reply_b
            clock.wall_ms = START + 5_000
            master.send(rtu(1, read_pdu(0x2C, 4)) + ask_b)
            assert await master.receive(8) == reply_b
            clock.wall_ms = START + 11_000
            master.send(rtu(1, read_pdu(0x2C, 4)))
            # It was stored as a whole, and the clock went on without power.
            assert (await master.receive(13))[3:11] == (START + HOUR + 11_000).to_bytes(8, "big")
            master.send(rtu(1, set_clock))
            assert await master.receive(8) == confirmed
        return service.book.counters["a"].as_json()

    assert asyncio.run(run()) == {"requests": 4, "answers": 2, "faults": {"power-cut": 1}}


@pytest.mark.parametrize(("outcome", "offset"), [("whole", 5 * MINUTE), ("none", 0)])
def test_power_lost_in_a_write_of_dlt645(outcome: str, offset: int) -> None:
    now = START + 8 * HOUR
    time = {"year": 26, "month": 6, "day": 15, "hour": 8, "minute": 5, "second": 0}
    octets = bytes.fromhex("".join(f"{time[name]:02d}" for name in ("second", "minute", "hour")))
    authority = {"level": 2, "password": bytes(3), "operator": bytes(4)}
    message = {"kind": "write", "reply": False, "di": 0x04000102, **authority, "data": octets}
    request = dlt645_build("000000000001", message).encode()

    async def run() -> tuple[int | None, dict[str, Any]]:
        clock = ManualClock(now)
        faults = [{"kind": "power-cut", "meter": "m", "outcome": outcome, "dark_s": 10}]
        meter, other = served("m", DLT645), served("b", unit=2)
        service = service_of(meter, other, clock=clock, faults=faults, transport="pty")
        async with master_of(service) as master:
            master.send(request + rtu(2, bytes((17,))))
            assert await master.receive(2) == bytes((2, 17))  # m is silent, b is not
        return meter.meter.values(now)["device_time"], service.book.counters["m"].as_json()

    device_time, counters = asyncio.run(run())
    assert device_time == now + offset
    assert counters == {"requests": 1, "answers": 0, "faults": {"power-cut": 1}}


@pytest.mark.parametrize("profile", ["sim-carbon-meter", DLT645, DLT698])
def test_a_meters_own_faults_are_read_in_every_protocol(profile: str) -> None:
    names = ("power", "energy_forward", "device_time")

    async def run() -> list[dict[str, int]]:
        clock = ManualClock(START)
        meter = served("m", profile, power_mw=6_000_000)
        service = service_of(meter, clock=clock, transport="pty")
        place = service.addresses()[0]
        async with master_of(service) as master:

            async def read(now_ms: int) -> dict[str, int]:
                clock.wall_ms = now_ms
                values: dict[str, int] = {}
                for block in meter.profile.plan([meter.profile.points[name] for name in names], "Asia/Shanghai"):
                    values |= await read_block(master, meter.profile.protocol, place, block)
                return {name: values[name] for name in names}

            found = [await read(START + HOUR)]
            for document in (
                {"kind": "stuck", "point": "power", "value": "0 W"},
                {"kind": "rollover", "point": "energy_forward", "at": "100 kWh", "left": "6 kWh"},
                {"kind": "clock-jump", "by_ms": -HOUR},
            ):
                service.book.set(parse_fault(document), START + HOUR)
            found += [await read(START + HOUR), await read(START + 3 * HOUR)]
            service.book.clear(None, START + 3 * HOUR)
            return [*found, await read(START + 3 * HOUR)]

    def row(power: int, energy: int, hours: int) -> dict[str, int]:
        return {"power": power, "energy_forward": energy, "device_time": START + hours * HOUR}

    assert asyncio.run(run()) == [
        row(6_000_000, 6_000_000, 1),
        row(0, 94_000_000, 0),
        row(0, 6_000_000, 2),
        row(6_000_000, 18_000_000, 2),
    ]


@pytest.mark.parametrize(("point", "swapped"), [(None, ("power", "energy_forward")), ("power", ("power",))])
def test_swapped_words(point: str | None, swapped: tuple[str, ...]) -> None:
    async def run() -> dict[str, int]:
        fault = {"kind": "swapped-words", "count": 1} | ({} if point is None else {"point": point})
        meter = served("m", power_mw=6_600_000)
        service = service_of(meter, faults=[fault], transport="pty", clock=ManualClock(START + HOUR))
        place = service.addresses()[0]
        async with master_of(service) as master:
            (block, *_) = meter.profile.plan(meter.profile.points.values(), "Asia/Shanghai")
            wrong = await read_block(master, "modbus", place, block)
            right = await read_block(master, "modbus", place, block)
        assert (right["power"], right["energy_forward"]) == (6_600_000, 6_600_000)
        assert wrong["frequency"] == right["frequency"]  # one word has no order
        return {name: value for name, value in wrong.items() if value != right[name]}

    wrong = asyncio.run(run())
    assert set(wrong) >= set(swapped)
    if point is not None:
        # 660 000 steps of 0.01 W, its words exchanged
        assert wrong == {"power": ((660_000 & 0xFFFF) << 16 | 660_000 >> 16) * 10}
