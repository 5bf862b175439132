"""From readings to records: what is written together, and what is held back."""

from collections.abc import Iterator
from typing import Any

import pytest
from gateway_support import ORIGIN_MS, SLOT, at_rest

from agent.gateway import Gateway
from agent.journal_entry import Append, Row
from agent.reading import Reading
from agent.recorder import last_reading_ms
from clock import ManualClock
from wire.records import EventCode, EventRecord, Record
from wire.row import RecordError, from_body, to_body

MWH = 10**6


@pytest.fixture
def clock() -> ManualClock:
    """Return the gateway's clock."""
    return ManualClock(ORIGIN_MS)


@pytest.fixture
def resting(site: Any, monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> Iterator[tuple[Gateway, list[Append]]]:
    """Yield a gateway that nothing drives but the test, and what it would write."""
    with at_rest(site, monkeypatch, clock) as found:
        yield found


def pass_ms(clock: ManualClock, duration_ms: int) -> int:
    """Let time pass; return what it is then."""
    clock.elapsed_ms += duration_ms
    clock.wall_ms += duration_ms
    return clock.wall_ms


def events(written: list[Append]) -> list[EventRecord]:
    """Return the events among what was written."""
    records = [from_body(row.body) for append in written for row in append.rows]
    return [record for record in records if isinstance(record, EventRecord)]


def test_a_number_waits_for_a_state_that_is_written(
    resting: tuple[Gateway, list[Append]], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the old one, the next start would see another exchange of the meter, and lose energy."""
    gateway, written = resting
    recorder = gateway.recorder
    recorder.take(Reading("meter-1", clock.wall_ms, MWH, 0, serial_number=7))
    assert written[-1].serial_numbers == {"meter-1": 7}

    def refuse(record: Record) -> Row:
        raise RecordError(f"{type(record).__name__} does not travel")

    count = len(written)
    with monkeypatch.context() as patch:
        patch.setattr("agent.recorder.to_row", refuse)
        recorder.take(Reading("meter-1", pass_ms(clock, SLOT), 5, 0, exchanged=True, serial_number=8))
    assert len(written) == count
    assert gateway.facts.unfit > 0
    recorder.take(Reading("meter-1", pass_ms(clock, SLOT), 6, 0))
    assert written[-1].serial_numbers == {"meter-1": 8}
    assert written[-1].states.keys() == {"meter-1"}
    recorder.take(Reading("meter-1", pass_ms(clock, SLOT), 7, 0))
    assert written[-1].serial_numbers == {}


@pytest.mark.parametrize("trouble", ["no room", "from the future"])
def test_a_reading_that_is_of_no_use_is_counted_and_changes_nothing(
    resting: tuple[Gateway, list[Append]], clock: ManualClock, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    gateway, written = resting
    time_ms = clock.wall_ms
    if trouble == "no room":
        monkeypatch.setattr(type(gateway.writer), "has_room", False)
    else:
        time_ms += 1
    gateway.recorder.take(Reading("meter-1", time_ms, MWH, 0))
    assert gateway.recorder.held_back == 1
    assert last_reading_ms(gateway.recorder.metering.values()) is None
    assert written == []


def test_nothing_is_asked_for_while_its_answer_can_not_be_kept(
    resting: tuple[Gateway, list[Append]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, _ = resting
    asked = object()
    monkeypatch.setattr(type(gateway.recorder.notes["meter-1"]), "errand", lambda _: asked)
    assert gateway.recorder.errand_for("meter-1") is asked
    with monkeypatch.context() as patch:
        patch.setattr(type(gateway.writer), "has_room", False)
        assert gateway.recorder.errand_for("meter-1") is None
    monkeypatch.setattr(type(gateway.time), "doubtful", True)
    assert gateway.recorder.errand_for("meter-1") is None


def test_the_reason_of_a_silence_always_travels(resting: tuple[Gateway, list[Append]]) -> None:
    """However long it is, and in whatever script."""
    gateway, written = resting
    gateway.recorder.silent("meter-1", ORIGIN_MS, "没有应答" * 70)
    gateway.recorder.back("meter-1", ORIGIN_MS + 5, 5)
    silent, back = events(written)
    assert (silent.code, back.code) == (EventCode.METER_SILENT, EventCode.METER_BACK)
    (text,) = silent.details.values()
    assert isinstance(text, str)
    assert text.startswith("没有应答")
    assert to_body(silent)
    assert list(back.details.values()) == [5]


def test_states_are_stored_now_and_then_but_not_while_nothing_is_written(
    resting: tuple[Gateway, list[Append]], clock: ManualClock
) -> None:
    """The queue must not grow while nothing leaves it."""
    gateway, written = resting
    gateway.recorder.take(Reading("meter-1", clock.wall_ms, MWH, 0))
    gateway.recorder.take(Reading("meter-1", pass_ms(clock, 1000), MWH + 1, 0))
    before = len(written)
    gateway.writer.full = True
    gateway.recorder.checkpoint()
    assert len(written) == before
    gateway.writer.full = False
    gateway.recorder.checkpoint()
    gateway.recorder.checkpoint()
    assert [append.states.keys() for append in written[before:]] == [{"meter-1"}]
    assert written[-1].rows == ()
