"""The simulated bench: a simulated meter behind real sockets and ptys, exact to the last digit."""

import asyncio
import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from bench_support import FULL, RATING, SLOT_MS, on_bench, send_factor
from hypothesis import given, settings
from hypothesis import strategies as st

from clock import SimulatedClock
from firmware_sim.faults.model import parse_fault
from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError
from firmware_sim.inspection.parts.simulated import SimulatedBench
from firmware_sim.inspection.points import Balance, Character, LoadPoint
from firmware_sim.meter import MeterSettings

DAY_MS = 86_400_000
LINES: list[dict[str, Any]] = [
    {},
    {"transport": "tcp"},
    {"transport": "pty"},
    {"profile": "dlt645-three-phase", "parameters": {"pt": 1, "ct": 1}},
    {"profile": "dlt645-three-phase", "parameters": {"pt": 1, "ct": 1}, "transport": "pty"},
    {"profile": "dlt698-carbon-meter"},
    {"profile": "dlt698-carbon-meter", "transport": "dial-out"},
]


@pytest.mark.parametrize("keys", LINES)
def test_a_meter_of_every_protocol_is_metered_on_every_line(keys: dict[str, Any]) -> None:
    async def scenario(bench: SimulatedBench) -> None:
        await bench.standard.start()
        begin = bench.time.now()
        assert (await bench.dut.read("energy_forward"))["energy_forward"] == 0
        await bench.source.set(FULL)
        await bench.time.wait(3_600_000)
        truth = await bench.standard.between(begin, bench.time.now())
        assert truth.forward_mwh == 39_600_000
        assert truth.reverse_mwh == truth.uncertainty_mwh == 0
        assert (await bench.dut.read("energy_forward"))["energy_forward"] == 39_600_000
        assert bench.time.now() == begin + 3_600_000  # what the bench does takes no time

    on_bench(scenario, **keys)


@pytest.mark.parametrize("keys", LINES)
def test_time_runs_forward_through_every_midnight(keys: dict[str, Any]) -> None:
    async def scenario(bench: SimulatedBench) -> list[tuple[int, int]]:
        assert bench.fast is not None
        await bench.source.set(FULL)
        begin = int(bench.time.now())
        await bench.fast.to(begin + 40 * DAY_MS + 123)
        assert begin + 40 * DAY_MS + 123 <= bench.time.now() <= begin + 40 * DAY_MS + 2_000
        rows = [await bench.dut.row("daily_freezes", number) for number in (1, 2, 30)]
        return [((row["time"] - begin) // 3_600_000, row["energy_forward"]) for row in rows]

    # From eight in the morning to midnight, and whole days.
    assert on_bench(scenario, **keys) == [
        (hours, hours * 39_600_000) for hours in (16 + 39 * 24, 16 + 38 * 24, 16 + 10 * 24)
    ]


def test_what_it_can_do_is_what_profile_rating_and_simulation_say() -> None:
    async def scenario(bench: SimulatedBench) -> frozenset[Ability]:
        return bench.dut.abilities

    assert on_bench(scenario) == frozenset(Ability)
    plain = on_bench(scenario, replace(RATING, constant=None, carbon_constant=None))
    assert plain == frozenset(Ability) - {Ability.PULSES, Ability.CARBON_PULSES}
    without_clock = on_bench(scenario, profile="eastron-sdm120")
    assert without_clock == {
        *(Ability.PULSES, Ability.CARBON_PULSES, Ability.POWER_CUT, Ability.RAW, Ability.REVERSE, Ability.ROLLOVER),
    }
    energy_only = on_bench(scenario, profile="dlt645-three-phase", parameters={"pt": 1, "ct": 1})
    assert not energy_only & {Ability.CARBON, Ability.FACTOR, Ability.FACTOR_HISTORY, Ability.DAILY_CARBON}


CURRENTS = st.integers(100, 60_000)
POINTS = st.builds(
    LoadPoint,
    voltage_mv=st.sampled_from([57_700, 176_000, 220_000, 253_001]),
    current_ma=CURRENTS,
    power_factor_ppm=st.sampled_from([1_000_000, 500_000, 800_000, 333_333]),
    character=st.sampled_from(list(Character)),
    balance=st.sampled_from(list(Balance)),
    reverse=st.booleans(),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("load"), st.one_of(st.none(), POINTS)),
        st.tuples(st.just("factor"), st.one_of(st.none(), st.sampled_from([0, 1, 100_000, 581_234, 1_000_000]))),
        st.tuples(st.just("wait"), st.integers(1, 3 * SLOT_MS)),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_without_error_the_meter_registers_what_the_standard_measured_exactly(steps: list[tuple[str, Any]]) -> None:
    async def scenario(bench: SimulatedBench) -> None:
        await bench.standard.start()
        start = before = bench.time.now()
        factor: int | None = None
        carbon = [Fraction(0), Fraction(0)]
        for kind, value in [*steps, ("wait", 1)]:
            if kind == "load":
                await bench.source.set(value)
            elif kind == "factor":
                await send_factor(bench, value)
                factor = value
            else:
                await bench.time.wait(value)
            truth = await bench.standard.between(before, bench.time.now())
            # Nothing flows while no time passes.
            assert kind == "wait" or truth.forward_mwh == truth.reverse_mwh == 0
            carbon[0] += truth.forward_mwh * (factor or 0)
            carbon[1] += truth.reverse_mwh * (factor or 0)
            before = bench.time.now()
        whole = await bench.standard.between(start, before)
        registered = bench.meter.energy(int(before))
        assert registered == (int(whole.forward_mwh), int(whole.reverse_mwh))
        # Carbon counts whole mWh: each change of the factor may leave part of one to the next.
        kept = bench.meter.carbon(int(before))
        worst = 1_000_000 * (len(steps) + 1)
        assert abs(kept[0] - carbon[0]) <= worst
        assert abs(kept[1] - carbon[1]) <= worst
        weighed = Fraction(bench.meter.counted(int(before))[1]) * bench.meter.gain / 3_600_000
        assert weighed == sum(carbon)

    on_bench(scenario, adjust=lambda made: replace(made, startup_current_ma=0))


def test_below_its_starting_current_the_meter_stands_still_while_the_standard_counts() -> None:
    async def scenario(bench: SimulatedBench) -> tuple[int, Fraction, int]:
        await bench.standard.start()
        begin = bench.time.now()
        await bench.source.set(LoadPoint(220_000, 19))
        await bench.time.wait(3_600_000)
        still = bench.meter.energy(int(bench.time.now()))[0]
        await bench.source.set(LoadPoint(220_000, 20))
        await bench.time.wait(3_600_000)
        truth = await bench.standard.between(begin, bench.time.now())
        return still, truth.forward_mwh, bench.meter.energy(int(bench.time.now()))[0]

    assert on_bench(scenario) == (0, Fraction(12_540 + 13_200), 13_200)


def test_a_gain_error_shows_as_it_is() -> None:
    async def scenario(bench: SimulatedBench) -> int:
        await bench.source.set(FULL)
        await bench.time.wait(3_600_000)
        return (await bench.dut.read("energy_forward"))["energy_forward"]

    def worse(made: MeterSettings) -> MeterSettings:
        return replace(made, gain_error=Fraction(1, 100))

    assert on_bench(scenario, adjust=worse) == 39_996_000


def test_without_supply_the_meter_is_silent_keeps_its_registers_and_its_time() -> None:
    async def scenario(bench: SimulatedBench) -> None:
        await bench.standard.start()
        await bench.source.set(FULL)
        await bench.time.wait(3_600_000)
        cut_at = bench.time.now()
        await bench.source.cut()
        with pytest.raises(DutError, match=r"line dut, address 1, read energy_forward: .*no reply"):
            await bench.dut.read("energy_forward")
        with pytest.raises(BenchError, match="supply is cut"):
            await bench.source.set(FULL)
        assert bench.pulses is not None
        assert await bench.pulses.next("energy", Fraction(60_000)) is None
        await bench.time.wait(2 * DAY_MS)
        nothing = await bench.standard.between(cut_at, bench.time.now())
        assert nothing.forward_mwh == 0
        await bench.source.restore()
        values = await bench.dut.read("energy_forward", "device_time", "power")
        assert values["energy_forward"] == 39_600_000
        assert values["device_time"] == bench.time.now()
        assert values["power"] == 39_600_000  # the load is back with the supply
        freezes = [await bench.dut.row("daily_freezes", number) for number in (1, 2)]
        assert [row["energy_forward"] for row in freezes] == [39_600_000, 39_600_000]

    on_bench(scenario, timeout_ms=500)


def test_the_circuit_is_the_load_points() -> None:
    async def scenario(bench: SimulatedBench) -> tuple[dict[str, int], dict[str, int]]:
        names = ("voltage_a", "current_a", "current_b", "power", "power_b", "power_factor")
        await bench.source.set(LoadPoint(57_700, 1_000, 500_000, Character.INDUCTIVE, Balance.B, reverse=True))
        first = dict(await bench.dut.read(*names))
        await bench.source.set(LoadPoint(220_000, 2_000, 800_000, Character.CAPACITIVE))
        return first, dict(await bench.dut.read(*names))

    first, second = on_bench(scenario)
    assert first == {
        "voltage_a": 57_700, "current_a": 0, "current_b": 1_000, "power": -28_850, "power_b": -28_850,
        "power_factor": -500_000,
    }  # fmt: skip
    assert second["power"] == 1_056_000
    assert second["current_a"] == second["current_b"] == 2_000


def test_capacitive_load_gives_reactive_power_back() -> None:
    async def scenario(bench: SimulatedBench) -> list[int]:
        found = []
        for character in (Character.INDUCTIVE, Character.CAPACITIVE):
            await bench.source.set(LoadPoint(220_000, 2_000, 800_000, character))
            found.append((await bench.dut.read("reactive_power"))["reactive_power"])
            await bench.time.wait(3_600_000)
        registers = await bench.dut.read("reactive_energy_q1", "reactive_energy_q4", "energy_forward_a")
        return [*found, *(registers[name] for name in sorted(registers))]

    keys = {"profile": "dlt645-three-phase", "parameters": {"pt": 1, "ct": 1}}
    inductive, capacitive, phase_a, first, fourth = on_bench(scenario, **keys)
    assert inductive == -capacitive == 792_000
    assert first == fourth == 790_000
    assert phase_a == 700_000


def test_phase_registers_never_fall_when_another_phase_is_loaded() -> None:
    async def scenario(bench: SimulatedBench) -> list[dict[str, int]]:
        rows = []
        for balance in (Balance.A, Balance.BALANCED, Balance.C, Balance.A):
            await bench.source.set(LoadPoint(220_000, 10_000, balance=balance))
            await bench.time.wait(3_600_000)
            rows.append(dict(await bench.dut.read("energy_forward_a", "energy_forward_b", "energy_forward_c")))
        return rows

    rows = on_bench(scenario, profile="dlt645-three-phase", parameters={"pt": 1, "ct": 1})
    assert [tuple(row.values()) for row in rows] == [
        (2_200_000, 0, 0),
        (4_400_000, 2_200_000, 2_200_000),
        (4_400_000, 2_200_000, 4_400_000),
        (6_600_000, 2_200_000, 4_400_000),
    ]


def test_registers_start_again_from_0_at_their_end() -> None:
    async def scenario(bench: SimulatedBench) -> dict[str, int]:
        assert bench.registers is not None
        await send_factor(bench, 500_000)
        near = {name: bench.registers.end(name) - 1_000_000 for name in ("energy_forward", "carbon_forward")}
        await bench.registers.preset(near)
        read = await bench.dut.read(*near)
        assert dict(read) == near
        await bench.source.set(FULL)
        await bench.time.wait(3_600_000)
        with pytest.raises(KeyError):
            bench.registers.end("device_time")
        with pytest.raises(BenchError, match="power = 1"):
            await bench.registers.preset({"power": 1})
        return dict(await bench.dut.read(*near))

    assert on_bench(scenario) == {
        "energy_forward": 38_600_000,
        "carbon_forward": 39_600_000 * 500_000 - 1_000_000,
    }


def test_a_day_keeps_its_carbon_when_the_registers_are_set() -> None:
    async def scenario(bench: SimulatedBench) -> int:
        assert bench.registers is not None
        assert bench.fast is not None
        await send_factor(bench, 500_000)
        await bench.registers.preset({"carbon_forward": 10**17})
        await bench.source.set(FULL)
        await bench.time.wait(3_600_000)
        await bench.source.set(None)
        await bench.fast.to(int(bench.time.now()) + DAY_MS)
        return (await bench.dut.read("carbon_forward_previous_day"))["carbon_forward_previous_day"]

    assert on_bench(scenario) == 39_600_000 * 500_000


def test_paced_by_a_clock_the_figures_are_the_same_and_the_time_is_taken() -> None:
    async def scenario(bench: SimulatedBench) -> list[object]:
        await bench.standard.start()
        begin = bench.time.now()
        assert bench.pulses is not None
        found: list[object] = []
        await send_factor(bench, 581_000)
        await bench.source.set(FULL)
        for current in (33_333, 10_000):
            found.append(await bench.pulses.next("carbon", Fraction(60_000)))
            await bench.time.wait(Fraction(120_001, 2))
            found.append(dict(await bench.dut.read("energy_forward", "carbon_forward")))
            await bench.source.set(LoadPoint(220_000, current))
        found.append(await bench.standard.between(begin, bench.time.now()))
        found.append(bench.time.now() - begin)
        return found

    virtual = on_bench(scenario)
    begun = time.monotonic()
    clock = SimulatedClock(0, 600, time.monotonic_ns() // 1_000_000)
    assert on_bench(scenario, pace=clock) == virtual
    assert time.monotonic() - begun >= int(str(virtual[-1])) / 600_000


def test_time_moves_on_while_a_paced_bench_waits() -> None:
    async def scenario(bench: SimulatedBench) -> bool:
        waiting = asyncio.ensure_future(bench.time.wait(600_000))
        await bench.source.set(FULL)
        seen = set()
        while not waiting.done():
            seen.add((await bench.dut.read("energy_forward"))["energy_forward"])
        return len(seen) > 5

    assert on_bench(scenario, pace=SimulatedClock(0, 1_000, time.monotonic_ns() // 1_000_000))


def test_a_fault_of_the_line_is_the_devices_error() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(DutError, match="line dut, address 1, read energy_forward"):
            await bench.dut.read("energy_forward")

    on_bench(scenario, faults=[parse_fault({"kind": "silent", "meter": "dut"})], timeout_ms=100)


def test_a_fault_of_the_clock_begins_when_it_should_also_when_nobody_reads() -> None:
    fault = parse_fault({"kind": "clock-jump", "meter": "dut", "by_ms": 600_000, "after_s": 60})

    async def scenario(bench: SimulatedBench) -> list[int]:
        begin = int(bench.time.now())
        await bench.dut.write("factor", {"time": begin, "carbon_factor": 100_000})
        await bench.dut.write("factor", {"time": begin + SLOT_MS, "carbon_factor": 200_000})
        await bench.source.set(FULL)
        await bench.time.wait(600_000)
        await bench.source.set(None)  # by now its clock is past the slot's end
        assert (await bench.dut.read("device_time"))["device_time"] == begin + 1_200_000
        return [bench.meter.carbon(int(bench.time.now()))[0]]

    # 11 Wh a second: five minutes of its first slot, and five of the second.
    assert on_bench(scenario, faults=[fault]) == [3_300_000 * 100_000 + 3_300_000 * 200_000]
