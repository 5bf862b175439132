"""The time of a line, on a clock that the test moves: turnaround, octet time, order, and who gets a late reply."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from clock import ManualClock
from firmware_sim.faces.base import Answer
from firmware_sim.faults.book import FaultBook, Target
from firmware_sim.faults.model import parse_fault
from firmware_sim.lines.line import Line, Session, Timing

OCTET_MS = 11 * 1000 / 9600


class Talker:
    """A face whose meters answer each letter that names them with as many of it as they were told."""

    protocol = "letters"

    def __init__(self, lengths: dict[str, int]) -> None:
        self._lengths = lengths
        self.flushed = 0

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        letters = [chr(octet) for octet in data]
        return [
            Answer(letter, letter.encode() * self._lengths[letter]) for letter in letters if letter in self._lengths
        ]

    def flush(self) -> None:
        self.flushed += 1

    def misaddressed(self, octets: bytes) -> bytes:
        return octets

    def addresses(self) -> dict[str, str]:
        return {letter: letter for letter in self._lengths}


class Scene:
    def __init__(self, timing: Timing | None = None, **keys: object) -> None:
        self.clock = ManualClock()
        self.face = Talker({"a": 3, "b": 3, "l": 96})
        targets = {meter: Target("bus", "letters", True, frozenset()) for meter in self.face.addresses()}
        self.book = FaultBook(targets, "UTC")
        self.line = Line("bus", lambda: [self.face], self.book, self.clock, timing=timing, **keys)  # type: ignore[arg-type]  # as given
        self.heard: list[tuple[int, bytes]] = []
        self.session = self.open()

    def open(self) -> Session:
        return self.line.open(lambda octets: self.heard.append((self.clock.elapsed_ms, octets)))

    def fault(self, **document: object) -> None:
        self.book.set(parse_fault(document), self.clock.now_ms())

    async def pass_time(self, until_ms: int) -> None:
        while self.clock.elapsed_ms < until_ms:
            await self.clock.advance(1)


def on_a_line(work: Callable[[Scene], Awaitable[None]], timing: Timing | None = None, **keys: object) -> Scene:
    async def run() -> Scene:
        scene = Scene(timing, **keys)
        try:
            await work(scene)
        finally:
            scene.line.close()
            await asyncio.sleep(0)
        return scene

    return asyncio.run(run())


def test_without_timing_a_reply_is_there_when_the_request_was() -> None:
    async def work(scene: Scene) -> None:
        scene.session.receive(b"a")
        assert scene.heard == [(0, b"aaa")]

    on_a_line(work)


def test_a_reply_takes_the_time_of_both_frames_and_the_turnaround() -> None:
    async def work(scene: Scene) -> None:
        scene.session.receive(b"l" + bytes(19))  # a request of 20 octets
        await scene.pass_time(1000)

    scene = on_a_line(work, Timing(OCTET_MS, (30, 30)))
    begin_ms, whole_ms = 20 * OCTET_MS + 30, 20 * OCTET_MS + 30 + 96 * OCTET_MS
    assert b"".join(octets for _, octets in scene.heard) == b"l" * 96
    assert len(scene.heard) > 10  # it comes octet by octet, not at the end
    assert begin_ms < scene.heard[0][0] < begin_ms + 12
    assert whole_ms <= scene.heard[-1][0] <= whole_ms + 1
    sent = 0
    for time_ms, octets in scene.heard:
        sent += len(octets)
        assert 0 <= time_ms - (begin_ms + sent * OCTET_MS) <= 1.01  # the clock moves in whole ms


def test_a_turnaround_is_drawn_within_its_range_and_repeats_with_the_seed() -> None:
    def draws(seed: int) -> list[int]:
        async def work(scene: Scene) -> None:
            for number in range(30):
                scene.session.receive(b"a")
                await scene.pass_time(1000 * (number + 1))

        scene = on_a_line(work, Timing(turnaround_ms=(20, 500), seed=seed))
        return [time_ms - 1000 * number for number, (time_ms, _) in enumerate(scene.heard)]

    one = draws(1)
    assert one == draws(1) != draws(2)
    assert all(20 <= delay <= 500 for delay in one)
    assert max(one) - min(one) > 200


def test_a_meter_may_have_a_turnaround_of_its_own() -> None:
    async def work(scene: Scene) -> None:
        scene.session.receive(b"ab")
        await scene.pass_time(100)

    scene = on_a_line(work, Timing(turnaround_ms=(10, 10)), turnarounds={"b": (40, 40)})
    assert scene.heard == [(10, b"aaa"), (40, b"bbb")]


def test_a_late_meter_is_overtaken_by_its_neighbour_but_not_by_itself() -> None:
    async def work(scene: Scene) -> None:
        scene.fault(kind="late", meter="a", delay_ms=500, count=1)
        scene.session.receive(b"a")
        await scene.pass_time(100)
        scene.session.receive(b"b")
        scene.session.receive(b"a")
        assert scene.heard == [(100, b"bbb")]
        await scene.pass_time(600)

    assert on_a_line(work).heard == [(100, b"bbb"), (500, b"aaa"), (500, b"aaa")]


def test_on_a_line_that_stalls_nothing_overtakes() -> None:
    async def work(scene: Scene) -> None:
        scene.fault(kind="late", line="bus", delay_ms=500, count=1)
        scene.session.receive(b"a")
        scene.session.receive(b"b")
        assert scene.heard == []
        await scene.pass_time(600)
        scene.session.receive(b"b")

    assert on_a_line(work).heard == [(500, b"aaa"), (500, b"bbb"), (600, b"bbb")]


def test_two_meters_never_talk_at_the_same_time() -> None:
    async def work(scene: Scene) -> None:
        scene.session.receive(b"la")
        await scene.pass_time(400)

    heard = b"".join(octets for _, octets in on_a_line(work, Timing(OCTET_MS)).heard)
    assert heard in (b"l" * 96 + b"aaa", b"aaa" + b"l" * 96)


@pytest.mark.parametrize(("hands_over", "expected"), [(False, []), (True, [(500, b"aaa")])])
def test_a_late_reply_goes_to_the_next_connection_of_a_serial_server(
    hands_over: bool, expected: list[tuple[int, bytes]]
) -> None:
    later: list[tuple[int, bytes]] = []

    async def work(scene: Scene) -> None:
        scene.fault(kind="late", delay_ms=500)
        scene.session.receive(b"a")
        scene.session.close()
        scene.line.open(lambda octets: later.append((scene.clock.elapsed_ms, octets)))
        await scene.pass_time(600)

    assert on_a_line(work, hands_over=hands_over).heard == []
    assert later == expected


def test_nobody_is_listening_when_the_last_connection_is_gone() -> None:
    async def work(scene: Scene) -> None:
        scene.fault(kind="late", delay_ms=500)
        scene.session.receive(b"a")
        scene.session.close()
        scene.session.close()
        await scene.pass_time(600)

    assert on_a_line(work, hands_over=True).heard == []


def test_silence_gives_up_what_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(scene: Scene) -> None:
        now = [100.0]
        monkeypatch.setattr(scene.session, "_time", lambda: now[0])
        scene.session.receive(b".")
        flushed = scene.face.flushed
        now[0] += 0.4
        scene.session.receive(b".")
        assert scene.face.flushed == flushed
        now[0] += 0.6
        scene.session.receive(b".")
        assert scene.face.flushed == flushed + 1

    on_a_line(work)


def test_a_meter_without_power_says_nothing_and_is_counted_as_asked() -> None:
    async def work(scene: Scene) -> None:
        scene.session.receive(b"ab")

    scene = on_a_line(work, is_dark=lambda meter, _now: meter == "a")
    assert scene.heard == [(0, b"bbb")]
    assert (scene.book.counters["a"].requests, scene.book.counters["a"].answers) == (1, 0)
    assert (scene.book.counters["b"].requests, scene.book.counters["b"].answers) == (1, 1)
    assert scene.line.requests == 2


def test_a_closed_line_forgets_every_reply_that_waits() -> None:
    async def work(scene: Scene) -> None:
        scene.fault(kind="late", meter="a", delay_ms=500)
        scene.session.receive(b"aaab")
        scene.line.close()
        await scene.pass_time(600)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("reply of")]

    assert on_a_line(work).heard == [(0, b"bbb")]
