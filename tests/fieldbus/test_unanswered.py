"""The memory of what may still come."""

from collections.abc import Callable, Hashable
from typing import Any

import pytest

from fieldbus.exchange import REFUSED, Heard, Request
from fieldbus.unanswered import Unanswered, Verdict

FRAMING: Any = None
KEEP_S = 60.0


def asked(what: str, answers: Callable[[Heard], bool] | None = None) -> Request:
    """Return a request like `ax`: meter a is asked for x."""
    return Request(what[0], what.encode(), what[1], FRAMING, what, answers=answers)


def heard(what: str, refuses: Callable[[Hashable], bool] | None = None) -> Heard:
    """Return what a meter says; `a!` is a refusal."""
    return Heard(what[0], None if what[1] == "!" else what[1], None, what.encode(), refuses=refuses)


def memory(*requests: str) -> Unanswered:
    """Return one in which these are, a second apart."""
    unanswered = Unanswered(KEEP_S)
    for second, what in enumerate(requests):
        unanswered.add(asked(what), float(second), 1)
    return unanswered


def test_a_reply_forgets_itself_and_all_that_is_older_of_its_meter() -> None:
    """Meters answer in order; other meters have an order of their own."""
    unanswered = memory("ax", "bx", "ay", "az")
    assert unanswered.judge(heard("ay"), None) is Verdict.LATE
    assert unanswered.signatures("a") == {"z"}
    assert unanswered.signatures("b") == {"x"}
    assert len(unanswered) == 2


def test_the_answer_to_the_present_request_forgets_all_of_its_meter() -> None:
    """Nothing older comes after it."""
    unanswered = memory("ax", "ay", "bx")
    assert unanswered.judge(heard("az"), asked("az")) is Verdict.ANSWER
    assert unanswered.signatures("a") == frozenset()
    assert unanswered.signatures("b") == {"x"}


@pytest.mark.parametrize("what", ["ay", "bx", "a!", "b!"])
def test_what_nobody_asked_for_forgets_nothing(what: str) -> None:
    """Neither another signature, nor another meter, nor a refusal out of nowhere."""
    unanswered = memory("cx")
    assert unanswered.judge(heard(what), asked("ax") if what[1] != "!" else None) is Verdict.STRANGE
    assert len(unanswered) == 1


def test_a_refusal_that_may_be_two_requests_is_unsure() -> None:
    """The older one is answered or lost; that the meter is not understood stays known until it answers."""
    unanswered = memory("ax", "ay")
    assert unanswered.judge(heard("a!"), asked("az")) is Verdict.UNSURE
    assert unanswered.signatures("a") == {"y", REFUSED}
    assert unanswered.judge(heard("aw"), asked("aw")) is Verdict.ANSWER
    assert unanswered.signatures("a") == frozenset()


def test_a_refusal_says_by_its_function_what_it_can_not_be() -> None:
    """Here x is of another function than y and z."""

    def y_or_z(signature: Hashable) -> bool:
        return signature in ("y", "z")

    assert memory("ax").judge(heard("a!", y_or_z), asked("az")) is Verdict.ANSWER
    unanswered = memory("ax", "ay")
    assert unanswered.judge(heard("a!", y_or_z), asked("aw")) is Verdict.LATE
    assert unanswered.signatures("a") == frozenset()


def test_what_is_in_the_way_of_a_request() -> None:
    """Its meter's, and what any meter may answer; of a request to anyone, everybody's."""
    unanswered = memory("ax", "by")
    unanswered.add(asked("*w", lambda reply: reply.signature == "w"), 2.0, 1)
    assert unanswered.in_the_way(asked("ax")) == {"x", "w"}
    assert unanswered.in_the_way(asked("*v", lambda _: True)) == {"x", "y", "w"}
    assert Unanswered(KEEP_S).in_the_way(asked("ax")) == frozenset()


def test_who_has_answered_since_does_not_answer_an_old_wildcard() -> None:
    """Others still may."""
    unanswered = Unanswered(KEEP_S)
    unanswered.add(asked("*w", lambda reply: reply.signature == "w"), 0.0, 1)
    assert unanswered.judge(heard("aw"), None) is Verdict.LATE
    assert unanswered.judge(heard("ax"), asked("ax")) is Verdict.ANSWER
    assert unanswered.in_the_way(asked("aw")) == frozenset()
    assert unanswered.judge(heard("aw"), asked("aw")) is Verdict.ANSWER
    assert unanswered.judge(heard("bw"), asked("aw")) is Verdict.LATE


@pytest.mark.parametrize(
    ("now", "connection", "last_heard", "kept"),
    [
        (59.9, 2, 50.0, 2),  # too young
        (61.0, 1, 59.0, 2),  # nothing has come so late
        (61.0, 1, 60.5, 1),  # something has come as late as that after the first, not after the second
        (60.5, 2, 0.0, 1),  # another connection, but the second is too young
        (61.0, 2, 0.0, 0),
    ],
)
def test_age_alone_forgets_nothing(now: float, connection: int, last_heard: float, kept: int) -> None:
    """The link must have moved as well."""
    unanswered = memory("ax", "by")
    unanswered.forget(now, connection, last_heard)
    assert len(unanswered) == kept


def test_our_own_octets_are_known_again() -> None:
    """With or without the preamble they were sent with."""
    unanswered = memory("ax")
    assert unanswered.echoed(b"ax")
    assert unanswered.echoed(b"x")
    assert not unanswered.echoed(b"a")
