"""The simulated firmware as a device of its own, on a sample stream and driven by others."""

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from served_support import LIMIT_S, served
from serving_support import driven_plan, free_port, stream_plan, tcp_line

from firmware_sim.fault_command import ask
from firmware_sim.inspection import catalogue
from firmware_sim.inspection.assemble import assembled
from firmware_sim.inspection.bench import Ability, Bench, DutError
from firmware_sim.inspection.plan import load_plan
from firmware_sim.inspection.points import Balance, Character, LoadPoint
from firmware_sim.inspection.result import ItemResult, Verdict
from settings.errors import ConfigError

FULL = LoadPoint(220_000, 60_000)

POINTS = [
    FULL,
    LoadPoint(220_000, 250, 500_000, Character.INDUCTIVE),
    LoadPoint(220_000, 10_000, 800_000, Character.CAPACITIVE, Balance.A),
    LoadPoint(176_000, 5_000, 500_000, Character.INDUCTIVE, reverse=True),
]


def on_stream(path: Path, scenario: Callable[[Bench], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(LIMIT_S), served(path, **options), assembled(load_plan(path)) as bench:
            await bench.standard.start()
            return await scenario(bench)

    return asyncio.run(run())


async def give_factor(bench: Bench, factor: int) -> None:
    now_ms = int(bench.time.now())
    await bench.dut.write("factor", {"time": now_ms - now_ms % 900_000, "carbon_factor": factor})


@pytest.mark.parametrize("form", ["samples", "phasors"])
def test_registers_are_what_flowed_to_the_last_digit(tmp_path: Path, form: str) -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.dut.abilities >= {Ability.PULSES, Ability.CARBON_PULSES, Ability.POWER_CUT, Ability.FAST}
        begin = bench.time.now()
        await give_factor(bench, 500_000)
        for point in POINTS:
            await bench.source.set(point)
            await bench.time.wait(Fraction(1_000_001, 300))  # ends inside of a ms
            whole = await bench.standard.between(begin, bench.time.now())
            read = await bench.dut.read("energy_forward", "energy_reverse", "carbon_forward", "device_time")
            assert (read["energy_forward"], read["energy_reverse"]) == (int(whole.forward_mwh), int(whole.reverse_mwh))
            # Of each mWh; the last one may not be full yet.
            assert 0 <= whole.forward_mwh * 500_000 - read["carbon_forward"] < 500_000
            assert read["device_time"] == int(bench.time.now())

    on_stream(stream_plan(tmp_path, form=form), scenario)


@pytest.mark.parametrize("form", ["samples", "phasors"])
def test_the_meter_shows_the_load(tmp_path: Path, form: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.source.set(LoadPoint(200_000, 10_000, 800_000, Character.CAPACITIVE, Balance.A))
        await bench.time.wait(1_000)
        shown = await bench.dut.read("power", "voltage_a", "current_a", "current_b", "power_factor", "frequency")
        expected = {"power": 1_600_000, "voltage_a": 200_000, "current_a": 10_000, "current_b": 0}
        assert {name: shown[name] for name in expected} == expected
        assert shown["power_factor"] == 800_000
        assert shown["frequency"] == 50_000

    on_stream(stream_plan(tmp_path, form=form), scenario)


@pytest.mark.parametrize(("form", "within"), [("samples", 12), ("phasors", 12)])
def test_pulses_come_when_another_step_has_flowed(tmp_path: Path, form: str, within: int) -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.pulses is not None
        await give_factor(bench, 500_000)
        begin = bench.time.now()
        await bench.source.set(FULL)
        for number in range(1, 30):
            instant = await bench.pulses.next("energy", Fraction(10_000))
            assert instant is not None
            truth = await bench.standard.between(begin, instant)
            assert abs(truth.forward_mwh - number * 1_000) < within  # mWh: Imax brings 11 in a ms
        carbon = [await bench.pulses.next("carbon", Fraction(10_000)) for _ in range(2)]
        assert carbon[0] is not None
        assert carbon[1] is not None
        assert abs((carbon[1] - carbon[0]) - Fraction(2 * 3_600_000, 39_600)) < 2

    on_stream(stream_plan(tmp_path, form=form), scenario)


@pytest.mark.parametrize("form", ["samples", "phasors"])
def test_a_midnight_is_where_the_device_has_it_wherever_a_pulse_has_left_the_time(tmp_path: Path, form: str) -> None:
    async def scenario(bench: Bench) -> ItemResult:
        assert bench.pulses is not None
        await bench.source.set(LoadPoint(220_000, 59_999))
        assert await bench.pulses.next("energy", Fraction(10_001, 3)) is not None
        assert await bench.pulses.next("energy", Fraction(10_001, 3)) is not None
        await bench.time.wait(Fraction(7, 8))
        assert bench.time.now().denominator > 1  # inside of a ms
        item = next(item for item in catalogue.items("type") if item.info.id == "robustness.local-midnight")
        return await item.run(bench)

    result = on_stream(stream_plan(tmp_path, form=form), scenario)
    assert result.verdict is Verdict.PASSED, [step for step in result.steps if not step.good]


@pytest.mark.parametrize("form", ["samples", "phasors"])
@pytest.mark.parametrize(("current_ma", "starts"), [(19, False), (20, True)])
def test_the_meter_starts_at_its_starting_current(tmp_path: Path, form: str, current_ma: int, starts: bool) -> None:
    async def scenario(bench: Bench) -> bool:
        await bench.source.set(LoadPoint(220_000, current_ma))
        await bench.time.wait(10_000)
        return (await bench.dut.read("energy_forward"))["energy_forward"] > 0

    assert on_stream(stream_plan(tmp_path, form=form), scenario) is starts


def test_without_supply_nobody_answers_and_the_clock_goes_on(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        began = bench.time.now()
        await bench.source.set(FULL)
        await bench.source.cut()
        await bench.time.wait(5_000)
        with pytest.raises(DutError, match="no reply"):
            await bench.dut.read("energy_forward")
        await bench.source.restore()
        await bench.time.wait(5_000)
        read = await bench.dut.read("energy_forward", "device_time")
        assert abs(read["energy_forward"] - 55_000) <= 1
        assert read["device_time"] == int(began) + 10_000

    on_stream(stream_plan(tmp_path), scenario)


def test_days_pass_in_a_moment_and_are_frozen(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.fast is not None
        began = int(bench.time.now())
        await bench.fast.to(began + 40 * 86_400_000)
        times = [(await bench.dut.row("daily_freezes", number))["time"] for number in (1, 30)]
        assert times[0] - times[1] == 29 * 86_400_000
        assert 0 <= began + 40 * 86_400_000 - times[0] < 86_400_000

    on_stream(stream_plan(tmp_path), scenario)


def test_a_seeded_defect_is_served(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> int:
        await bench.source.set(FULL)
        await bench.time.wait(10_000)
        return (await bench.dut.read("energy_forward"))["energy_forward"]

    assert on_stream(stream_plan(tmp_path), scenario, defect="gain") == 110_000 * 1_015 // 1_000


def test_faults_are_taken_while_it_is_inspected(tmp_path: Path) -> None:
    control = tmp_path / "control"

    async def scenario(bench: Bench) -> None:
        await bench.dut.read("energy_forward")
        await asyncio.to_thread(ask, control, {"do": "set", "fault": {"kind": "stuck", "point": ["energy_forward"]}})
        await bench.source.set(FULL)
        await bench.time.wait(10_000)
        assert (await bench.dut.read("energy_forward"))["energy_forward"] == 0

    on_stream(stream_plan(tmp_path), scenario, control=control)


@pytest.mark.parametrize(
    ("transport", "dut"),
    [
        ("serial", 'profile = "dlt698-carbon-meter"'),
        ("tcp", 'profile = "dlt645-three-phase"\naddress = "112233445566"'),
        ("dial-in", 'profile = "dlt698-three-phase"'),
    ],
)
def test_the_other_end_of_any_line_is_served(tmp_path: Path, transport: str, dut: str) -> None:
    async def scenario(bench: Bench) -> int:
        await bench.source.set(FULL)
        await bench.time.wait(600_000)
        return (await bench.dut.read("energy_forward"))["energy_forward"]

    serial = f'name = "dut"\ntransport = "serial"\ndevice = "{tmp_path}/tty"\n'
    path = stream_plan(tmp_path, line=serial if transport == "serial" else tcp_line(transport=transport), dut=dut)
    step = 10_000  # 0.01 kWh, or finer
    assert 6_600_000 - step <= on_stream(path, scenario) <= 6_600_000


def test_it_waits_for_the_next_bench(tmp_path: Path) -> None:
    path = stream_plan(tmp_path)

    async def run() -> list[int]:
        found = []
        async with asyncio.timeout(LIMIT_S), served(path):
            for _ in range(2):
                async with assembled(load_plan(path)) as bench:
                    await bench.source.set(FULL)
                    await bench.time.wait(10_000)
                    found.append((await bench.dut.read("energy_forward"))["energy_forward"])
        return found

    assert asyncio.run(run()) == [110_000, 110_000]  # a new meter each time


# Driven by others


def test_pulse_heads_of_a_real_device_gate_the_standard_meter(tmp_path: Path) -> None:
    path = driven_plan(tmp_path, 'kind = "manual"')
    path.write_text(path.read_text() + f"[pulses]\nport = {free_port()}\njitter_ms = 20\n", encoding="utf-8")
    ready = tmp_path / "ready.json"

    async def run() -> None:
        control = tmp_path / "control"
        async with asyncio.timeout(LIMIT_S), served(path, control=control, ready_file=ready, standard=True):
            while not ready.exists():  # noqa: ASYNC110 - a file is what another process has
                await asyncio.sleep(0.01)
            plan = load_plan(path)
            assert plan.pulses is not None
            async with assembled(plan) as bench:
                assert Ability.PULSES in bench.dut.abilities
                assert Ability.CARBON_PULSES not in bench.dut.abilities
                assert bench.jitter_ms == 20
                assert bench.pulses is not None
                await bench.standard.start()
                await asyncio.to_thread(ask, control, {"do": "load", "load": {"current_a": "60"}})
                _, head = await asyncio.open_connection("127.0.0.1", plan.pulses.port)
                instants = []
                for _ in range(2):
                    waiting = asyncio.ensure_future(bench.pulses.next("energy", Fraction(10_000)))
                    await bench.time.wait(400)
                    head.write(b"energy\n")
                    instants.append(await waiting)
                first, last = instants
                assert first is not None
                assert last is not None
                truth = await bench.standard.between(first, last)
                expected = 39_600_000 * (last - first) / 3_600_000  # mWh at 60 A
                assert abs(truth.forward_mwh - expected) < expected / 2  # the load began a moment before
                head.close()

    asyncio.run(run())


def test_a_command_sets_the_load_of_meter_and_standard(tmp_path: Path) -> None:
    control = tmp_path / "control"
    path = driven_plan(tmp_path, 'kind = "manual"')
    ready = tmp_path / "ready.json"

    async def run() -> None:
        async with asyncio.timeout(LIMIT_S), served(path, control=control, ready_file=ready, standard=True):
            while not ready.exists():  # noqa: ASYNC110 - a file is what another process has
                await asyncio.sleep(0.01)
            async with assembled(load_plan(path)) as bench:

                async def load(**settings: Any) -> None:
                    await asyncio.to_thread(ask, control, {"do": "load", "load": settings})

                await bench.standard.start()
                await load(current_a="60", power_factor="0.5", character="L")
                first, begun = await bench.dut.read("energy_forward", "power"), bench.time.now()
                assert first["power"] == 19_800_000
                await bench.time.wait(500)
                gained = (await bench.dut.read("energy_forward"))["energy_forward"] - first["energy_forward"]
                truth = await bench.standard.between(begun, bench.time.now())
                assert gained > 2_000
                assert abs(gained - truth.forward_mwh) < 0.2 * gained  # the two are read one after the other
                await load(action="cut")
                with pytest.raises(DutError):
                    await bench.dut.read("energy_forward")
                with pytest.raises(ConfigError, match="the supply is cut"):
                    await load(current_a=1)
                await load(action="restore")
                assert (await bench.dut.read("power"))["power"] == 19_800_000
                await load(action="off")
                assert (await bench.dut.read("power"))["power"] == 0
                mistakes: list[tuple[dict[str, Any], str]] = [
                    ({"current_a": "1.0005"}, "at most three decimals"),
                    ({"phases": 1}, "expected 3"),
                    ({"amps": 5}, "amps"),
                ]
                for wrong, told in mistakes:
                    with pytest.raises(ConfigError, match=told):
                        await load(**wrong)

    asyncio.run(run())
