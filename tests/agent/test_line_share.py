"""How a line divides its time: silent meters, errands, boundaries, more meters than it can carry."""

import asyncio
import logging
from collections import Counter, deque
from typing import Any

import pytest
from line_bench import MINUTE, PROFILE, SLOT, START, ZONE, Bench

from agent.spare import Errand
from fieldbus.exchange import LineError, NoReplyError, RefusedError
from profiles import Block, Command
from profiles.model import CodecError

SECOND = 1000
SILENT = {unit: NoReplyError("no reply within 1 s") for unit in range(1, 7)}


def busy(**more: Any) -> Bench:
    """Return a line of 20 meters that can't be read as often as is wanted: 0.1 s each, wanted every second."""
    bench = Bench(meters=20, poll_seconds=1, **more)
    bench.wire.answer_ms = 100
    bench.wire.timeout_ms = 1000
    return bench


def rates(bench: Bench, for_ms: int) -> Counter[str]:
    """Return how many readings each meter gave in the last so many ms."""
    since = bench.clock.now_ms() - for_ms
    return Counter(reading.meter for reading in bench.readings if reading.time_ms > since)


@pytest.mark.parametrize("answer_ms", [40, 100, 400])
@pytest.mark.parametrize("longest_silence_ms", [5_000, 300_000])
def test_silent_meters_cost_their_neighbours_less_than_a_tenth(answer_ms: int, longest_silence_ms: int) -> None:
    """Six of twenty are silent, from the first poll on, on a line that is as busy as it can be, or is not.

    Also where their own pauses are so short that attempts would take all of the line.
    """
    whole, some = busy(), busy(longest_silence_ms=longest_silence_ms)
    some.wire.errors.update(SILENT)
    for bench in (whole, some):
        bench.wire.answer_ms = answer_ms
        bench.run(20 * MINUTE)
    before, after = rates(whole, 20 * MINUTE), rates(some, 20 * MINUTE)
    for unit in range(7, 21):
        assert after[f"m{unit}"] >= 0.9 * before[f"m{unit}"]
    attempts = sum(unit <= 6 for _, unit, _ in some.wire.reads) - 2 * len(SILENT)
    assert attempts * 1000 <= 20 * MINUTE * 5 // 100 + 1000
    assert some.line.figures()["silent_meters"] == 6
    assert some.line.figures()["attempts_permille"] <= 50


@pytest.mark.parametrize("answer_ms", [40, 100])
def test_meters_that_answer_every_second_time_cost_their_neighbours_less_than_a_tenth(answer_ms: int) -> None:
    """A loose wire: each is never silent twice in a row, and would cost a time-out every second poll."""
    whole, some = busy(points=["energy_forward"]), busy(points=["energy_forward"])
    for bench in (whole, some):
        bench.wire.answer_ms = answer_ms
    read, mute = some.wire.read, dict.fromkeys(SILENT, False)

    async def loose(unit: int, block: Block) -> bytes:
        if mute.get(unit):
            mute[unit] = False
            await some.clock.sleep_ms(some.wire.timeout_ms)
            raise NoReplyError("no reply")
        reply = await read(unit, block)
        if unit in mute and block.points[0].name == "energy_forward":
            mute[unit] = True
        return reply

    some.wire.read = loose  # type: ignore[method-assign]  # a wire that is loose
    for bench in (whole, some):
        bench.run(20 * MINUTE)
    before, after = rates(whole, 19 * MINUTE), rates(some, 19 * MINUTE)
    for unit in range(7, 21):
        assert after[f"m{unit}"] >= 0.9 * before[f"m{unit}"]
    assert min(after[f"m{unit}"] for unit in SILENT) >= 8  # nor are they given up
    assert some.line.figures()["unreliable_meters"] == 6
    assert some.line.figures()["silent_meters"] == 0


def test_a_meter_that_answers_again_every_time_is_trusted_again() -> None:
    """After three answers; then it has its full rate, on a busy line too."""
    bench = busy(points=["energy_forward"])
    bench.wire.errors[1] = SILENT[1]

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(2 * MINUTE)
            bench.wire.errors.clear()
            await bench.clock.advance(5 * MINUTE)

    asyncio.run(scenario())
    counts = rates(bench, MINUTE)
    assert bench.line.figures()["unreliable_meters"] == 0
    assert counts["m1"] >= counts["m2"] - 1


def test_silent_meters_of_a_busy_line_are_found_again_in_bounded_time() -> None:
    """Each attempt of a second is paid for within 20 s: six meters are back after two minutes."""
    bench = busy(longest_silence_ms=60_000)
    bench.wire.errors.update(SILENT)

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(20 * MINUTE)
            bench.wire.errors.clear()
            await bench.clock.advance(3 * MINUTE)
            assert bench.line.figures()["silent_meters"] == 0

    asyncio.run(scenario())
    assert len({meter for meter, _, silent in bench.silences if not silent}) == 6
    assert set(rates(bench, MINUTE)) == {f"m{unit}" for unit in range(1, 21)}


def test_a_line_with_time_to_spare_tries_silent_meters_whenever_nobody_waits() -> None:
    """No share limits them there: each is tried after its own pause, and no poll begins late for it."""
    bench = Bench(meters=5, poll_seconds=60, longest_silence_ms=60_000)
    bench.wire.timeout_ms = 2000
    bench.wire.answer_ms = 20
    bench.wire.errors.update({unit: SILENT[unit] for unit in (1, 2, 3)})
    bench.run(30 * MINUTE)
    late = [
        reading.time_ms
        for reading in bench.readings
        if (reading.time_ms - START) % MINUTE > 100 and reading.time_ms > START + 4 * MINUTE
    ]
    assert late == [], late
    attempts = Counter(unit for _, unit, _ in bench.wire.reads if unit <= 3)
    assert all(count >= 14 for count in attempts.values())  # every second minute at least


def test_one_answer_from_a_line_where_all_were_silent_wakes_the_others() -> None:
    """It was the line that was away: nobody waits for the end of a pause of minutes."""
    bench = Bench(meters=5, poll_seconds=10, longest_silence_ms=600_000)
    bench.wire.timeout_ms = 1000
    bench.wire.errors.update({unit: SILENT[unit] for unit in range(1, 6)})
    bench.clock.wall_ms += 1

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(3_600_000)
            bench.wire.errors.clear()
            while not bench.readings:
                await bench.clock.advance(SECOND)
            await bench.clock.advance(11 * SECOND)
            assert {reading.meter for reading in bench.readings} == {f"m{unit}" for unit in range(1, 6)}

    asyncio.run(scenario())


def errand(bench: Bench, told: list[Any]) -> Errand:
    """Return an errand of two blocks: a freeze, and another."""
    blocks = [*PROFILE.plan_row("daily_freezes", 1, ZONE), *PROFILE.plan_row("monthly_freezes", 1, ZONE)]
    return Errand(blocks, lambda values, time_ms: told.append((time_ms, values)), told.append)


@pytest.mark.parametrize("answer_ms", [10, 100])
def test_errands_use_idle_time_and_a_share_of_a_busy_line(answer_ms: int) -> None:
    """Both lines do them; the busy one keeps its rate, and neither delays the readings at the boundary."""
    bench, plain, told = busy(), busy(), []
    bench.wire.answer_ms = plain.wire.answer_ms = answer_ms
    bench.errand_for = lambda meter: errand(bench, told) if meter == "m7" else None
    bench.run(10 * MINUTE)
    plain.run(10 * MINUTE)
    assert len(told) >= 10
    assert all("energy_forward" in values for _, values in told)
    before, after = rates(plain, 10 * MINUTE), rates(bench, 10 * MINUTE)
    assert all(after[meter] >= 0.9 * before[meter] for meter in before), (before, after)


def test_an_errand_that_fails_is_told_so_and_not_tried_again_by_the_line() -> None:
    """What to do then is for whoever sent it to say."""
    bench, told = Bench(), []
    errands = iter([errand(bench, told)])
    bench.errand_for = lambda _: next(errands, None)
    bench.wire.row_error = RefusedError(2, "illegal data address")
    bench.run(2 * MINUTE)
    assert told == [bench.wire.row_error]


@pytest.mark.parametrize("before_s", range(14, 34))
def test_nothing_is_done_at_a_boundary_before_all_meters_are_read(before_s: int) -> None:
    """Whenever errands and attempts at silent meters would be due: what closes the interval comes first."""
    bench, told = busy(start_ms=START + SLOT - before_s * SECOND, longest_silence_ms=5_000), []
    bench.wire.errors.update(SILENT)
    bench.errand_for = lambda meter: errand(bench, told) if meter == "m7" else None
    bench.run(before_s * SECOND + 3 * SECOND)
    boundary = START + SLOT
    first: dict[str, int] = {}
    for reading in bench.readings:
        if reading.time_ms > boundary:
            first.setdefault(reading.meter, reading.time_ms)
    assert len(first) == 14
    # 14 polls of 0.1 s, after the one that was under way when the boundary came.
    assert max(first.values()) <= boundary + 15 * 100


def test_at_a_boundary_a_slow_line_reads_the_energies_of_all_meters_first() -> None:
    """A poll of four seconds for a meter: its energies take one, behind the poll under way; rest and factor follow."""
    names = ["energy_forward", "carbon_forward_previous_day", "meter_constant"]
    bench = Bench(meters=10, poll_seconds=60, points=names, start_ms=START + SLOT - 3 * MINUTE - SECOND)
    bench.wire.answer_ms = 1000
    bench.factor = lambda time_ms: (time_ms - time_ms % SLOT, 500_000)
    written: list[int] = []
    write = bench.wire.write

    async def noted(unit: int, command: Command) -> None:
        written.append(bench.clock.now_ms())
        await write(unit, command)

    bench.wire.write = noted  # type: ignore[method-assign]  # to see when
    bench.run(6 * MINUTE)
    boundary = START + SLOT
    at = [reading for reading in bench.readings if boundary <= reading.time_ms <= boundary + 14 * SECOND]
    assert {reading.meter for reading in at} == {f"m{unit}" for unit in range(1, 11)}
    assert all(reading.brief and "meter_constant" not in reading.values() for reading in at[:10])
    assert not [time for time in written if boundary <= time <= at[9].time_ms]
    assert len([time for time in written if boundary <= time]) == 10
    soon = [r for r in bench.readings if boundary < r.time_ms < boundary + MINUTE and "meter_constant" in r.values()]
    assert {reading.meter for reading in soon} == {f"m{unit}" for unit in range(1, 11)}


def test_a_line_too_slow_for_its_periods_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """With figures; a line that is quick enough says nothing."""
    busy().run(5 * MINUTE)
    warnings = [record for record in caplog.records if "too slow for its poll periods" in record.getMessage()]
    assert len(warnings) == 1
    assert "2000 ms, 200 %" in warnings[0].getMessage()
    assert warnings[0].levelno == logging.WARNING
    caplog.clear()
    quick = busy()
    quick.wire.answer_ms = 10
    quick.run(5 * MINUTE)
    assert "too slow" not in caplog.text


@pytest.mark.parametrize(
    "error", [NoReplyError("no reply"), RefusedError(2, "illegal data address"), CodecError("no digits")]
)
def test_a_block_beside_the_energies_costs_no_reading(error: LineError | CodecError) -> None:
    """A meter that ignores or refuses one of the requests is not silent; the request is made less and less often."""
    names = ["energy_forward", "meter_constant"]
    bench = Bench(meters=1, poll_seconds=10, points=names)
    bench.wire.constant_error = error
    bench.run(10 * MINUTE)
    assert len(bench.readings) == 61
    assert bench.silences == []
    asked = sum(address == PROFILE.points["meter_constant"].address for _, _, address in bench.wire.reads)
    assert 2 <= asked < 15


@pytest.mark.parametrize("lost_ms", [2 * MINUTE, 5 * MINUTE])
def test_a_meter_comes_back_on_a_line_whose_readings_take_longer_than_an_interval(lost_ms: int) -> None:
    """A hundred meters of a second each, in intervals of a minute: there is a boundary reading to wait for always."""
    bench = Bench(meters=100, poll_seconds=60, interval_ms=MINUTE, points=["energy_forward"])
    bench.wire.answer_ms = bench.wire.timeout_ms = SECOND

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(10 * MINUTE)
            bench.wire.errors[5] = NoReplyError("no reply")
            await bench.clock.advance(lost_ms)
            bench.wire.errors.clear()
            await bench.clock.advance(30 * MINUTE)

    asyncio.run(scenario())
    counts = rates(bench, 10 * MINUTE)
    assert counts["m5"] >= 4
    assert min(counts.values()) >= 4


def test_errands_are_done_on_a_line_whose_readings_take_longer_than_an_interval() -> None:
    """Freezes are read there, too."""
    bench = Bench(meters=100, poll_seconds=60, interval_ms=MINUTE, points=["energy_forward"])
    told: list[Any] = []
    bench.wire.answer_ms = SECOND
    bench.errand_for = lambda meter: errand(bench, told) if meter == "m7" else None
    bench.run(30 * MINUTE)
    assert told


def test_an_errand_is_not_done_at_a_meter_that_failed_since() -> None:
    """It may be another meter by now: its freeze would be taken for that of the old one."""
    bench = busy()
    told: list[Any] = []
    waiting = deque([("m8", errand(bench, [])), ("m7", errand(bench, told))])

    def errand_for(meter: str) -> Errand | None:
        if not waiting or waiting[0][0] != meter:
            return None
        if meter == "m7":  # it waits for seconds, until the time that the first one took is paid for
            bench.wire.errors[7] = NoReplyError("no reply")
        return waiting.popleft()[1]

    bench.errand_for = errand_for
    bench.run(MINUTE)
    (error,) = told
    assert isinstance(error, NoReplyError)
    rows = PROFILE.tables["daily_freezes"].address
    assert {unit for _, unit, address in bench.wire.reads if address >= rows} == {8}


def test_errands_of_all_meters_have_their_turn() -> None:
    """Also where the first of them always have one: what each of them asks often must not keep the others waiting."""
    bench, told = Bench(meters=20), []
    bench.wire.answer_ms = 100

    def errand_for(meter: str) -> Errand:
        blocks = PROFILE.plan_row("daily_freezes", 1, ZONE)
        return Errand(blocks, lambda _values, _time_ms: told.append(meter), told.append)

    bench.errand_for = errand_for
    bench.run(MINUTE)
    done = Counter(told)
    assert set(done) == {f"m{unit}" for unit in range(1, 21)}
    assert max(done.values()) - min(done.values()) <= 1
