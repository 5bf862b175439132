"""Whose commands are believed, and of when: the centre's own times bound a clock that was set back."""

from typing import Any

import pytest
from journal_support import START
from key_support import new_key
from remote_support import GATEWAY, HOUR, TOPIC, Bureau, command

from agent.remote.believe import AHEAD_MS, CentreTime, UnbelievedError, objection, opened, shown
from wire import strict, topics
from wire.commands import LONGEST_VALIDITY_MS
from wire.envelope import Signer
from wire.orders import TellStatus

MINUTE = 60_000


class Own:
    """A gateway's own time."""

    def __init__(self, now_ms: int = START, *, trusted: bool = True, stored_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.trusted = trusted
        self.noted: list[int] = []
        self.time = CentreTime(stored_ms, lambda: self.now_ms, trusted=lambda: self.trusted, note=self.noted.append)


def test_what_the_centre_signed_for_this_topic_is_opened(bureau: Bureau) -> None:
    """With everything that it says."""
    one = command(7)
    signed = opened(TOPIC, bureau.signed(one), bureau.ring)
    assert (signed.id, signed.issued_ms, signed.expires_ms, signed.order) == (one.id, START, START + HOUR, TellStatus())
    assert signed.command == one


def test_anything_else_is_not_believed(bureau: Bureau) -> None:
    """Another key, another topic, another message of the centre's, no envelope at all, a changed octet."""
    one = command(7)
    ack = bureau.signer.sign(strict.dump({0: 1, 1: GATEWAY}), TOPIC)
    good = bureau.signed(one)
    bad = [
        bureau.signed(one, signer=Signer(new_key())),
        bureau.signed(one, topic=topics.command("gw-2")),
        bureau.signed(one, topic=topics.acknowledgement(GATEWAY)),
        ack,
        b"",
        b"\xd2\x84",
        good[:-1],
        good[:60] + bytes([good[60] ^ 1]) + good[61:],
    ]
    for envelope in bad:
        with pytest.raises(UnbelievedError):
            opened(TOPIC, envelope, bureau.ring)


def test_a_verb_of_a_later_version_is_opened_for_its_answer(bureau: Bureau) -> None:
    """Whoever asked is to be told."""
    parts = {0: 1, 1: GATEWAY, 2: bytes(16), 3: START, 4: START + HOUR, 5: 200, 6: {9: "x"}}
    signed = opened(TOPIC, bureau.signer.sign(strict.dump(parts), TOPIC), bureau.ring)
    assert (signed.verb, signed.order, signed.command) == (200, None, None)
    assert objection(signed, GATEWAY, Own().time) is None


def judged(bureau: Bureau, own: Own, **fields: Any) -> str | None:
    """Return the objection to a command as it comes."""
    signed = opened(TOPIC, bureau.signed(command(1, **fields)), bureau.ring)
    found = objection(signed, GATEWAY, own.time)
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("now_ms", "part"),
    [
        (START - AHEAD_MS - 1, "of the future"),
        (START - AHEAD_MS, None),
        (START, None),
        (START + HOUR - 1, None),
        (START + HOUR, "expired at 2025-12-31T17:00:00Z"),
    ],
)
def test_a_command_counts_from_its_issue_to_its_end(bureau: Bureau, now_ms: int, part: str | None) -> None:
    """Beside a tolerance for clocks that differ a little."""
    text = judged(bureau, Own(now_ms))
    assert text is None if part is None else part in str(text)


def test_a_command_for_another_gateway_is_refused_for_ever(bureau: Bureau) -> None:
    """Though the centre signed it for this topic."""
    signed = opened(TOPIC, bureau.signed(command(1, gateway="gw-2")), bureau.ring)
    found = objection(signed, GATEWAY, Own().time)
    assert found is not None
    assert found.lasting
    assert found.text == "this is gateway gw-1, the command is for gw-2"


@pytest.mark.parametrize("trusted", [False, True])
def test_a_clock_that_was_set_back_brings_no_old_command_to_life(bureau: Bureau, trusted: bool) -> None:
    """Judged by what the centre signed last, also after a restart; the refusal says whose time is in doubt."""
    own = Own(START + HOUR, trusted=trusted)
    own.time.heard(START + HOUR)  # an acknowledgement
    again = Own(START, trusted=trusted, stored_ms=own.noted[-1])
    own.now_ms = START
    for set_back in (own, again):
        text = str(judged(bureau, set_back))
        assert "expired" in text
        assert ("the gateway's own time is doubtful" in text) is not trusted
    assert judged(bureau, Own(START, trusted=trusted)) is None  # without it, it would have been believed


def test_the_centres_time_never_falls_and_every_rise_is_noted() -> None:
    """For the journal."""
    own = Own(trusted=False)
    for time_ms in (START + 5, START + 3, START + 9):
        own.time.heard(time_ms)
    assert own.noted == [START + 5, START + 9]
    assert own.time.now_ms() == START + 9
    own.now_ms = START + 100
    assert own.time.now_ms() == START + 100


def test_a_centre_with_a_wrong_clock_does_not_close_a_gateway_with_a_right_one(bureau: Bureau) -> None:
    """Its time of years ahead is not taken for true, within the tolerance it is."""
    own = Own()
    own.time.heard(START + 10 * 365 * 24 * HOUR)
    own.time.heard(START + AHEAD_MS + 1)
    assert own.noted == []
    own.time.heard(START + AHEAD_MS)
    assert own.noted == [START + AHEAD_MS]
    assert judged(bureau, own) is None


def test_a_gateway_whose_clock_is_empty_goes_by_the_centres_time(bureau: Bureau) -> None:
    """It woke up in 1970: nothing is of now, until the centre has acknowledged something."""
    own = Own(5 * MINUTE, trusted=False)
    assert "of the future" in str(judged(bureau, own))
    assert "doubtful" in str(judged(bureau, own))
    own.time.heard(START)
    assert judged(bureau, own) is None


@pytest.mark.parametrize(("since_ms", "refused"), [(START, False), (START + 1, True), (START + HOUR, False)])
def test_what_was_issued_before_the_journal_is_refused(bureau: Bureau, since_ms: int, refused: bool) -> None:
    """Unless the journal itself is of the future: it was begun by a wrong clock."""
    own = Own(START + MINUTE)
    own.time.since_ms = since_ms
    assert ("journal began" in str(judged(bureau, own))) is refused


@pytest.mark.parametrize(("newest_ms", "lasting"), [(START + HOUR, False), (START + HOUR + 1, True)])
def test_only_what_expired_by_the_centres_time_can_never_come_back(
    bureau: Bureau, newest_ms: int, lasting: bool
) -> None:
    """The gateway's own clock may have been ahead."""
    own = Own(START + 2 * HOUR, stored_ms=newest_ms)
    found = objection(opened(TOPIC, bureau.signed(command(1)), bureau.ring), GATEWAY, own.time)
    assert found is not None
    assert found.lasting is lasting


def test_times_are_shown_for_people() -> None:
    """Also those that no calendar has."""
    assert shown(START) == "2025-12-31T16:00:00Z"
    assert shown(2**53) == f"{2**53} ms"
    assert shown(START + LONGEST_VALIDITY_MS) == "2026-01-07T16:00:00Z"
