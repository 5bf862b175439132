"""A line and its meters on a clock moved by hand: the grid, silence, exchange, factors forwarded."""

import asyncio
import itertools

import pytest
from line_bench import MINUTE, PROFILE, SLOT, START, Bench

from agent.line_meter import Lateness
from fieldbus.exchange import BadReplyError, LineDownError, NoReplyError, RefusedError
from profiles import Block
from profiles.model import CodecError


def test_reads_at_once_and_then_on_the_grid() -> None:
    """The first value comes at the start, the next at whole minutes: one of them on the boundary."""
    bench = Bench().run(SLOT)
    times = [reading.time_ms - START for reading in bench.readings]
    assert times == [1, *range(MINUTE, SLOT + 1, MINUTE)]
    assert bench.readings[0].forward_mwh == 10**9
    assert bench.readings[0].values()["energy_forward"] == 10**9


def test_a_reading_has_the_time_of_its_reply() -> None:
    """Not that of the request."""
    bench = Bench(start_ms=START)
    bench.wire.answer_ms = 250
    bench.run(MINUTE + 1000)
    assert bench.readings[-1].time_ms == START + MINUTE + 250


def test_a_boundary_that_falls_into_a_poll_is_read_at_once() -> None:
    """A slow line catches up with the boundary, and with nothing else."""
    bench = Bench(poll_seconds=1, start_ms=START + SLOT - 700)
    bench.wire.answer_ms = 1500
    bench.run(10_000)
    begun = [time for time, _, address in bench.wire.reads if address == 0]
    assert all(later - earlier <= 1500 for earlier, later in itertools.pairwise(begun[1:]))


def test_a_failed_read_yields_no_reading_and_neighbours_keep_their_rate() -> None:
    """One dead meter among three; its pauses grow, and it is reported once."""
    bench = Bench(meters=3)
    bench.wire.errors[2] = NoReplyError("no reply within 1 s")
    bench.run(30 * MINUTE)
    by_meter = {name: sum(reading.meter == name for reading in bench.readings) for name in ("m1", "m2", "m3")}
    assert by_meter == {"m1": 31, "m2": 0, "m3": 31}
    attempts = sum(unit == 2 for _, unit, _ in bench.wire.reads)
    assert 5 <= attempts <= 12
    assert [(meter, silent) for meter, _, silent in bench.silences] == [("m2", True)]


def test_a_meter_that_is_back_is_read_on_its_grid_again() -> None:
    """And that is reported."""

    async def scenario(bench: Bench) -> None:
        async with bench.running():
            bench.wire.errors[1] = NoReplyError("no reply")
            await bench.clock.advance(10 * MINUTE)
            del bench.wire.errors[1]
            bench.readings.clear()
            await bench.clock.advance(20 * MINUTE)

    bench = Bench()
    asyncio.run(scenario(bench))
    (_, fell_silent, _), (_, was_silent_since, _) = bench.silences
    assert fell_silent == was_silent_since
    assert [silent for _, _, silent in bench.silences] == [True, False]
    steps = [later.time_ms - earlier.time_ms for earlier, later in itertools.pairwise(bench.readings)]
    assert set(steps) == {MINUTE}
    assert bench.readings[0].time_ms <= START + 15 * MINUTE + 1


def test_exception_replies_are_not_silence() -> None:
    """The meter is asked again at its rate; that it gives no reading is told. An absent target is silence."""
    bench = Bench(meters=2)
    bench.wire.errors[1] = RefusedError(4, "server device failure")
    bench.wire.errors[2] = RefusedError(11, "absent", silent=True)
    bench.run(10 * MINUTE)
    assert bench.readings == []
    assert [meter for meter, _, _ in bench.silences] == ["m1", "m2"]
    assert len({time for time, unit, _ in bench.wire.reads if unit == 1}) == 11
    assert len({time for time, unit, _ in bench.wire.reads if unit == 2}) < 11


def test_corrupt_replies_back_off_only_once_the_meter_was_silent() -> None:
    """Noise on the line is not the meter's absence."""
    bench = Bench()
    bench.wire.errors[1] = BadReplyError("noise")
    bench.run(20 * MINUTE)
    assert [silent for _, _, silent in bench.silences] == [True]  # told once, since nothing is read
    assert len(bench.wire.reads) == 21


def test_a_meter_that_answers_now_and_then_is_told_of_once() -> None:
    """Each fourth poll: events for every silence and answer would fill the journal. Then it is back for good."""
    bench = Bench(poll_seconds=10, longest_silence_ms=10_000)
    read, times = bench.wire.read, itertools.count()

    async def now_and_then(unit: int, block: Block) -> bytes:
        if bench.clock.now_ms() < START + 60 * MINUTE and next(times) % 5 < 3:  # two requests make a poll
            raise NoReplyError("no reply")
        return await read(unit, block)

    bench.wire.read = now_and_then  # type: ignore[method-assign]  # a wire that is loose
    bench.run(70 * MINUTE)
    assert len(bench.readings) > 100
    (_, since, silent), (_, again, back) = bench.silences
    assert (silent, back) == (True, False)
    assert since == again < START + MINUTE


def test_a_number_that_is_none_costs_no_reading() -> None:
    """A meter whose serial number can't be understood is metered all the same, without knowing an exchange."""
    bench = Bench()
    identity = bench.line.meters[0].identity
    assert identity is not None
    read = bench.wire.read

    async def odd(unit: int, block: Block) -> bytes:
        if block == identity:
            raise CodecError("serial_number: no digits")
        return await read(unit, block)

    bench.wire.read = odd  # type: ignore[method-assign]  # a meter that is odd in one place
    bench.run(3 * MINUTE)
    assert len(bench.readings) == 4


def test_a_line_that_is_down_is_tried_again_with_growing_pauses() -> None:
    """Unreachable: no reading, no storm of connections, and recovery by itself."""

    async def scenario(bench: Bench) -> None:
        bench.wire.down = True
        async with bench.running():
            await bench.clock.advance(10 * MINUTE)
            tried = bench.wire.connects
            bench.wire.down = False
            await bench.clock.advance(10 * MINUTE)
            assert 3 <= tried <= 60

    bench = Bench(meters=5, poll_seconds=1)
    asyncio.run(scenario(bench))
    assert {reading.meter for reading in bench.readings} == {f"m{unit}" for unit in range(1, 6)}


def test_meters_are_read_soon_after_a_line_was_down_for_long() -> None:
    """The line was away, not they: their own back-off of minutes must not keep them waiting."""
    bench = Bench(meters=3, poll_seconds=1, longest_silence_ms=300_000)
    bench.wire.down = True

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(3_600_000)
            bench.wire.down = False
            await bench.clock.advance(60_000)

    asyncio.run(scenario())
    back = bench.clock.now_ms() - 60_000
    assert {reading.meter for reading in bench.readings if reading.time_ms <= back + 32_000} == {"m1", "m2", "m3"}


def test_a_meter_that_has_not_dialled_in_is_asked_soon_after_it_has() -> None:
    """The line is there for its neighbours; the meter's own connection is not, which costs nothing to find out."""
    bench = Bench(meters=2, poll_seconds=1, longest_silence_ms=300_000)
    bench.wire.errors[1] = LineDownError("000000000001 has not dialled in")

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(3_600_000)
            assert bench.line.figures()["silent_meters"] == 1
            bench.wire.errors.clear()
            await bench.clock.advance(32_000)

    asyncio.run(scenario())
    assert [meter for meter, _, silent in bench.silences if not silent] == ["m1"]
    assert sum(reading.meter == "m2" for reading in bench.readings) >= 3_631


def test_another_serial_number_is_an_exchange() -> None:
    """Asked at the start and after a silence; a stored number is compared with."""

    async def scenario(bench: Bench) -> None:
        async with bench.running():
            await bench.clock.advance(3 * MINUTE)
            bench.wire.errors[1] = NoReplyError("no reply")
            await bench.clock.advance(MINUTE)
            del bench.wire.errors[1]
            bench.wire.serial = 5678
            await bench.clock.advance(3 * MINUTE)

    bench = Bench()
    asyncio.run(scenario(bench))
    asked = [(reading.serial_number, reading.exchanged) for reading in bench.readings if reading.serial_number]
    assert asked == [(1234, False), (5678, True)]
    assert sum(reading.exchanged for reading in bench.readings) == 1


@pytest.mark.parametrize(("factor", "words"), [(500_000, (7, 41248)), (None, (65535, 65535))])
def test_the_factor_is_forwarded_once_a_slot_behind_the_reading(factor: int | None, words: tuple[int, int]) -> None:
    """With the slot's start; undefined as the profile says it."""
    bench = Bench()
    bench.factor = lambda time_ms: (time_ms - time_ms % SLOT, factor)
    bench.run(SLOT + MINUTE)
    assert len(bench.wire.writes) == 2
    for (_, address, written), slot in zip(bench.wire.writes, (START, START + SLOT), strict=True):
        assert address == PROFILE.writes["factor"].address
        assert written == (*divmod(slot // 1000, 65536), *words)


def test_a_meter_that_ignores_the_factor_costs_its_neighbours_little() -> None:
    """Each try is a time-out: they become fewer, and the next answer brings the rate back."""
    bench = Bench(meters=2, poll_seconds=10)
    bench.factor = lambda time_ms: (time_ms - time_ms % SLOT, 500_000)
    bench.wire.timeout_ms = 1000
    bench.wire.write_error = NoReplyError("no reply")
    bench.run(60 * MINUTE)
    assert 4 <= sum(unit == 1 for unit, _, _ in bench.wire.writes) <= 14
    assert sum(reading.meter == "m1" for reading in bench.readings) == 361


def test_a_corrected_factor_is_forwarded_again_and_none_while_none_is_known() -> None:
    """Within the same slot."""
    bench = Bench()
    bench.factor = lambda time_ms: (
        None if time_ms < START + 3 * MINUTE else (START, 1 + time_ms // (START + 5 * MINUTE))
    )
    bench.run(8 * MINUTE)
    assert len(bench.wire.writes) == 2


def test_lateness_is_a_bound() -> None:
    """The share that began within it."""
    late = Lateness()
    for value in [0] * 98 + [4, 400]:
        late.add(value)
    assert late.bound_ms(0.5) == 1
    assert late.bound_ms(0.99) == 5
    assert late.bound_ms(1) == 500


def test_polls_go_on_when_the_time_leaps_back() -> None:
    """Years, as a corrected clock does: the instants that were due are further away than any poll can be."""
    bench = Bench(meters=2)

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(SLOT)
            before = len(bench.readings)
            bench.clock.step_wall(-10 * 365 * 86_400_000)
            await bench.clock.advance(SLOT)
            assert len(bench.readings) >= 2 * before - 4

    asyncio.run(scenario())
