"""Whether a line is free: after what was sent, what was heard, and another master's question."""

import asyncio
from collections.abc import Callable

import pytest
from line_support import run_virtual

from fieldbus.line_timing import LineTiming
from fieldbus.occupancy import Occupancy

TIMING = LineTiming(timeout_s=1.0, pause_s=0.02, character_s=0.001, after_broadcast_s=0.1, longest_reply_s=3.0)


def waited(before: Callable[[Occupancy], None], gap_s: Callable[[], float | None] = lambda: None) -> float:
    """Return how long it took until the line was quiet."""

    async def use() -> float:
        loop = asyncio.get_running_loop()
        occupancy = Occupancy(TIMING)
        before(occupancy)
        begun = loop.time()
        await occupancy.quiet(gap_s)
        return loop.time() - begun

    return run_virtual(use())


def heard(occupancy: Occupancy) -> None:
    """Hear something now."""
    occupancy.last_heard = asyncio.get_running_loop().time()


def test_a_line_of_which_nothing_is_known_is_free() -> None:
    assert waited(lambda _: None) == 0


def test_the_pause_counts_from_the_last_octet_either_way() -> None:
    assert waited(heard) == pytest.approx(0.02)
    assert waited(lambda occupancy: occupancy.sent(8)) == pytest.approx(0.008 + 0.02)


def test_a_broadcast_takes_its_time() -> None:
    def say(occupancy: Occupancy) -> None:
        occupancy.sent(8)
        occupancy.broadcast()

    assert waited(say) == pytest.approx(0.008 + 0.1 + 0.02)


def test_an_unfinished_frame_is_waited_for_in_place_of_the_pause() -> None:
    assert waited(heard, lambda: 0.5) == pytest.approx(0.5)


def test_who_never_stops_talking_is_not_waited_for() -> None:
    """Longer than the longest reply."""

    def babble(occupancy: Occupancy) -> None:
        heard(occupancy)
        asyncio.get_running_loop().call_later(0.01, babble, occupancy)

    assert waited(babble) == pytest.approx(3.0, abs=0.02)


@pytest.mark.parametrize(("device", "expected_s"), [("a", 0.4 + 0.02), ("b", 1.0 + 0.02)])
def test_another_masters_question_is_over_when_its_own_device_has_spoken(device: str, expected_s: float) -> None:
    """Or at its time-out."""

    def ask(occupancy: Occupancy) -> None:
        heard(occupancy)
        occupancy.other_asked("a")

        def speak() -> None:
            if device == "a":
                heard(occupancy)
            occupancy.spoke(device)

        asyncio.get_running_loop().call_later(0.4, speak)

    assert waited(ask) == pytest.approx(expected_s, abs=0.011)


def test_another_masters_question_is_forgotten_once_it_was_let_pass() -> None:
    """What its device says later ends nothing."""

    async def use() -> None:
        occupancy = Occupancy(TIMING)
        heard(occupancy)
        occupancy.other_asked("a")
        await occupancy.quiet(lambda: None)
        occupancy.sent(1000)
        until = occupancy.free_at
        occupancy.spoke("a")
        assert occupancy.free_at == until

    run_virtual(use())
