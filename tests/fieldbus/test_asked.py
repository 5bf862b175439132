"""A request under way: how long it is waited for, and with which error it ends."""

from collections.abc import Awaitable, Callable

import pytest
from bus_support import Toy
from line_support import run_virtual

from fieldbus.asked import Asked
from fieldbus.exchange import BadReplyError, LineError, NoReplyError


def with_asked(use: Callable[[Asked], Awaitable[None]]) -> None:
    """Run something with a request of 1 s."""

    async def scenario() -> None:
        await use(Asked(Toy().request("ax"), 1.0))

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("octets", "oddity", "misfit", "kind", "text"),
    [
        (0, "", False, NoReplyError, "ask ax: no reply within 0.5 s"),
        (3, "", False, NoReplyError, "ask ax: no reply within 0.5 s, only 3 octets: part of a frame"),
        (3, "no bracket", False, NoReplyError, "ask ax: no reply within 0.5 s, only 3 octets: no bracket"),
        (4, "a frame", True, BadReplyError, "ask ax: no reply within 0.5 s, only 4 octets: a frame"),
    ],
)
def test_the_error_says_what_was_heard_instead(
    octets: int, oddity: str, misfit: bool, kind: type[LineError], text: str
) -> None:
    async def use(asked: Asked) -> None:
        asked.octets, asked.oddity, asked.misfit = octets, oddity, misfit
        error = asked.overdue(0.5)
        assert (type(error), str(error)) == (kind, text)

    with_asked(use)


def test_parts_without_end_are_not_waited_for() -> None:
    async def use(asked: Asked) -> None:
        for number in range(1000):
            asked.take_part(2.0 + number)
        assert asked.deadline == 2.0 + 255

    with_asked(use)


def test_a_failure_after_the_answer_or_the_end_of_waiting_is_nobodys() -> None:
    async def use(asked: Asked) -> None:
        assert asked.is_waiting
        asked.answer.cancel()
        assert not asked.is_waiting
        asked.fail(NoReplyError("late"))
        assert asked.answer.cancelled()

    with_asked(use)
