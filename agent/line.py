"""A line (线路): one connection, the meters behind it, and the one task that may use it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from agent.errands import Errands
from agent.line_meter import SILENT_AFTER, Lateness, LineMeter, LineSettings
from agent.logs import log
from agent.poll import Poller
from agent.questions import Question, Questions, refuse
from agent.reading import Reading
from agent.schedule import boundary_before, next_poll, silence_delay
from agent.spare import Allowance, Errand
from agent.timing import at_least_real
from clock import Clock
from fieldbus.exchange import BadReplyError, Bus, LineDownError, LineError
from profiles import Block
from profiles.model import CodecError

LONGEST_SLEEP_MS: Final = 10_000  # how late a step of the wall clock may be noticed by a waiting line
RECONNECT_MS: Final = 1_000
LONGEST_RECONNECT_MS: Final = 30_000
BRIEF_MS: Final = 2_000  # a round that takes longer reads the energies of all meters first, at a boundary


class Line:
    """Polls its meters in turn, each on its grid; a silent one is left alone for longer and longer."""

    def __init__(
        self,
        settings: LineSettings,
        bus: Bus,
        meters: Sequence[LineMeter],
        clock: Clock,
        *,
        now_ms: Callable[[], int],
        on_reading: Callable[[Reading], None],
        on_silent: Callable[[str, int, str], None],
        on_back: Callable[[str, int, int], None],
        factor_at: Callable[[int], tuple[int, int | None] | None] = lambda _: None,
        errand_for: Callable[[str], Errand | None] = lambda _: None,
    ) -> None:
        """`on_silent` is called with (meter, time, reason), `on_back` with (meter, time, how long it was silent).

        `errand_for` returns what is to be asked of a meter (by id) beside its polls, and each errand once.
        """
        self.name = settings.name
        self.bus = bus
        self.meters = meters
        self.lateness = Lateness()
        self.attempts = Allowance(settings.timeout_ms)  # at silent meters
        self.errand_time = Allowance(settings.timeout_ms)
        self.question_time = Allowance(settings.timeout_ms)
        self.overloaded = False
        self.steps = 0  # things done, a wait being one: whoever watches the line sees that it lives
        self._settings = settings
        self._clock = clock
        self._now_ms = now_ms
        self._on_reading = on_reading
        self._on_silent = on_silent
        self._on_back = on_back
        self._errands = Errands(meters, errand_for, clock, now_ms, self.errand_time)
        self._questions = Questions(meters, clock, now_ms, self.question_time)
        self._asked = False  # the last thing done was a question
        self._wake = asyncio.Event()
        self._poller = Poller(settings.name, settings.timezone, now_ms, factor_at)
        self._began_ms = clock.monotonic_ms()
        self._connect_failures = 0
        self._connect_not_before = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        self._all_due()
        try:
            while True:
                await self._step()
                self.steps += 1
        finally:
            self.bus.close()
            self._questions.give_up(LineError("the line stopped"))

    def ask(self, meter: str, block: Block) -> Question:
        """Have a meter (by id) asked for a block as soon as the line has time; KeyError when it is not on this line."""
        question = self._questions.ask(meter, block)
        self._wake.set()
        return question

    def _all_due(self) -> None:
        first = self._now_ms() + self._settings.phase_ms
        for meter in self.meters:
            meter.due_ms = first

    async def _step(self) -> None:
        """Do the one thing that is most urgent, or wait for it."""
        now = self._now_ms()
        furthest = self._settings.longest_silence_ms + 2 * max(meter.period_ms for meter in self.meters)
        if any(meter.due_ms - now > furthest + self._settings.phase_ms for meter in self.meters):
            self._all_due()  # the time has gone back: no poll can be that far away
        guarded = self._is_guarded(now)
        head = min(
            (meter for meter in self.meters if not meter.is_unreliable and not (guarded and meter.is_doubtful)),
            key=_due,
            default=None,
        )
        silent = min((meter for meter in self.meters if meter.is_unreliable), key=_due, default=None)
        idle_ms = None if head is None else head.due_ms - now
        # After a question it is first the turn of what else waits: many of them must not keep the line.
        asked, self._asked = self._asked, False
        if not asked and await self._run_question(idle_ms, now):
            self._asked = True
        elif silent is not None and silent.due_ms <= now and self._may(self.attempts, idle_ms, now, silent.due_ms):
            await self._attempt(silent)
        elif await self._run_errand(idle_ms, now):
            pass
        elif head is not None and head.due_ms <= now:
            if head.due_ms != head.began_ms:  # else it is the rest of a brief poll
                self.lateness.add(now - head.due_ms)
            await self._poll(head, brief=self._is_brief(head, now))
        elif asked and await self._run_question(idle_ms, now):
            self._asked = True
        else:
            await self._sleep(now, head, silent)

    def _may(self, allowance: Allowance, idle_ms: int | None, now: int, waiting_since: int) -> bool:
        """Whether something that is no poll may have the line now."""
        if allowance.fits(idle_ms):
            return True
        # Where there is idle time at all, it comes within a period.
        patience = max(meter.period_ms for meter in self.meters)
        if now < waiting_since + patience or allowance.wait_ms(self._clock.monotonic_ms()):
            return False
        # It takes time from the polls, but never from the readings that close an interval.
        return not self._is_guarded(now)

    def _is_guarded(self, now: int) -> bool:
        """Whether a time-out now would delay the readings that close an interval.

        After half an interval no longer: where those take as long, nothing else would ever have its turn.
        """
        interval, boundary = self._settings.interval_ms, self._boundary(now)
        if now - boundary < interval // 2:
            return any(
                meter.began_ms < boundary and not (meter.is_doubtful or meter.is_unreliable) for meter in self.meters
            )
        longest = max(use.expected_ms for use in (self.attempts, self.errand_time, self.question_time))
        return boundary + interval - now < min(longest, interval // 4)

    def _boundary(self, now: int) -> int:
        return boundary_before(now, self._settings.interval_ms, self._settings.phase_ms)

    async def _sleep(self, now: int, head: LineMeter | None, silent: LineMeter | None) -> None:
        boundary = self._boundary(now) + self._settings.interval_ms
        waits = [at_least_real(self._clock, LONGEST_SLEEP_MS, 1.0), boundary - now]
        if head is not None:
            waits.append(head.due_ms - now)
        if silent is not None:
            waits.append(silent.due_ms - now)  # one that is due already waits for the next poll to be over
        self._wake.clear()
        if self._questions.waiting() is not None:
            waits.append(self.question_time.wait_ms(self._clock.monotonic_ms()))
        timer = asyncio.ensure_future(self._clock.sleep_ms(max(min(wait for wait in waits if wait > 0), 1)))
        timer.add_done_callback(lambda timer: None if timer.cancelled() else self._wake.set())
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _attempt(self, meter: LineMeter) -> None:
        began = self._clock.monotonic_ms()
        await self._poll(meter)
        if meter.failures:
            self.attempts.spend(began, self._clock.monotonic_ms())

    def _is_brief(self, meter: LineMeter, now: int) -> bool:
        """Whether only the energies are read, so that the neighbours' boundary readings need not wait for the rest."""
        if meter.began_ms >= self._boundary(now) or len(meter.energy_blocks) == len(meter.blocks):
            return False
        round_ms = sum(other.poll_ms for other in self.meters if not other.is_silent)
        return round_ms > at_least_real(self._clock, BRIEF_MS, 1.0)

    async def _poll(self, meter: LineMeter, *, brief: bool = False) -> None:
        began, started = self._now_ms(), self._clock.monotonic_ms()
        whole = not brief and not meter.identity_due
        meter.began_ms = began
        answered = await self._ask(meter, brief=brief)
        took = self._clock.monotonic_ms() - started
        if answered and whole:
            meter.poll_ms = (3 * meter.poll_ms + took) // 4 if meter.poll_ms else took
            self._check_load()
        # The rest of a brief poll is due at once, but behind the boundary readings of the others.
        meter.due_ms = began if answered and brief else self._following(meter, began)

    def _following(self, meter: LineMeter, began: int) -> int:
        """Return when a meter is due after a poll that began at `began`."""
        # Counted from the beginning of the poll: an instant that fell into it, such as a boundary, is made up for at
        # once.
        after = began
        longest = self._settings.longest_silence_ms
        if meter.unreachable:
            longest = min(longest, LONGEST_RECONNECT_MS)  # a poll costs nothing until the line is back
        if wait := silence_delay(meter.failures, meter.period_ms, longest):
            after = self._now_ms() + wait - 1
        return next_poll(after, meter.period_ms, self._settings.interval_ms, self._settings.phase_ms)

    async def _ask(self, meter: LineMeter, *, brief: bool) -> bool:
        """Poll a meter; return whether there is a reading."""
        try:
            await self._connect()
        except LineDownError as error:
            self._failed(meter, error)
            meter.unreachable = True
            return False
        meter.unreachable = False
        try:
            reading = await self._poller.read(meter, brief=brief)
        except (LineError, CodecError) as error:
            self._failed(meter, error)
            meter.unreachable = isinstance(error, LineDownError)  # also: this one has not dialled in
            return False
        self._good(meter, reading)
        if not brief:
            await self._poller.forward_factor(meter)
        return True

    async def _connect(self) -> None:
        if self.bus.connected:
            return
        now = self._clock.monotonic_ms()
        if now < self._connect_not_before:
            raise LineDownError("no connection; the next attempt is pending")
        try:
            await self.bus.connect()
        except LineDownError:
            pause = min(RECONNECT_MS << min(self._connect_failures, 10), LONGEST_RECONNECT_MS)
            self._connect_failures += 1
            self._connect_not_before = self._clock.monotonic_ms() + int(at_least_real(self._clock, pause, 0.1))
            raise
        self._connect_failures = 0
        if self._settings.pause_after_connect_ms:
            await self._clock.sleep_ms(self._settings.pause_after_connect_ms)

    async def _run_errand(self, idle_ms: int | None, now: int) -> bool:
        """Read one block of an errand, if there is one and the line has time for it; return whether it did."""
        since = self._errands.waiting_since() if self.bus.connected else None
        if since is None or not self._may(self.errand_time, idle_ms, now, since):
            return False
        await self._errands.read_block()
        return True

    async def _run_question(self, idle_ms: int | None, now: int) -> bool:
        """Put a question to its meter, if there is one and the line has time for it; return whether it was answered."""
        question = self._questions.waiting()
        if question is None or not self._may_ask(idle_ms, now):
            return False
        try:
            await self._connect()
        except LineDownError as error:
            refuse(question, error)
            return True
        await self._questions.read()
        meter = question.meter
        if meter.is_silent and not question.answer.cancelled() and question.answer.exception() is None:
            meter.due_ms = min(meter.due_ms, self._now_ms())  # it is back
        return True

    def _may_ask(self, idle_ms: int | None, now: int) -> bool:
        """Whether a question may have the line now: in idle time, or within its share."""
        if self.question_time.fits(idle_ms):
            return True
        return not self.question_time.wait_ms(self._clock.monotonic_ms()) and not self._is_guarded(now)

    def _good(self, meter: LineMeter, reading: Reading) -> None:
        if meter.is_silent and all(other.is_silent for other in self.meters):
            # Nobody answered, now one does: it was the line, and the others need not wait for their turn.
            for other in self.meters:
                other.due_ms = min(other.due_ms, self._now_ms())
        meter.failures = meter.unread = 0
        meter.strike(answered=True)
        if meter.silent_since is not None:
            meter.back_ms = meter.back_ms or reading.time_ms
            # One that answers now and then is not back: events of it would fill the journal.
            if not meter.is_unreliable:
                log.info("answers again", extra={"about": meter.id})
                self._on_back(meter.id, meter.back_ms, max(meter.back_ms - meter.silent_since, 0))
                meter.silent_since = None
        self._on_reading(reading)

    def _failed(self, meter: LineMeter, error: LineError | CodecError) -> None:
        self._poller.warn(meter, error)
        meter.identity_due = True
        meter.factor_written = None
        meter.unread += 1
        meter.back_ms = 0
        silent = isinstance(error, LineError) and error.silent
        if silent and not (isinstance(error, BadReplyError) and meter.failures < SILENT_AFTER):
            meter.failures += 1
            if not isinstance(error, LineDownError):
                meter.strike(answered=False)
        if meter.unread >= SILENT_AFTER and meter.silent_since is None:
            meter.silent_since = self._now_ms()
            self._on_silent(meter.id, meter.silent_since, str(error))

    def load_percent(self) -> int:
        """Return how much of the line's time the polls of the answering meters want; above 100 they can't have it."""
        return sum(100 * meter.poll_ms // meter.period_ms for meter in self.meters if not meter.is_silent)

    def _check_load(self) -> None:
        speaking = [meter for meter in self.meters if not meter.is_silent]
        if self.overloaded or not all(meter.poll_ms for meter in speaking):
            return
        if (load := self.load_percent()) <= 100:  # noqa: PLR2004 - per cent
            return
        self.overloaded = True
        log.warning(
            "the line is too slow for its poll periods: polls of all meters take %d ms, %d %% of what there is; "
            "meters are read less often, at interval boundaries their energies first",
            sum(meter.poll_ms for meter in speaking),
            load,
            extra={"about": self.name},
        )

    def figures(self) -> dict[str, int]:
        """Return the counters of this line, and how its silent meters fare."""
        now = self._now_ms()
        elapsed = max(self._clock.monotonic_ms() - self._began_ms, 1)
        silent = [meter for meter in self.meters if meter.is_silent or meter.silent_since is not None]
        counters = self.bus.counters
        found = {name: getattr(counters, name) for name in COUNTERS}
        unreliable = sum(meter.is_unreliable for meter in self.meters if meter not in silent)
        found |= {"silent_meters": len(silent), "unreliable_meters": unreliable, "load_percent": self.load_percent()}
        found |= {"attempts_permille": 1000 * self.attempts.used_ms // elapsed}
        if silent:
            found["next_attempt_ms"] = max(min(meter.due_ms for meter in silent) - now, 0)
        return found


COUNTERS: Final = (
    *("ok", "timeout", "exception", "late", "foreign", "corrupt", "echo", "probes", "unreachable", "connects"),
)


def _due(meter: LineMeter) -> tuple[int, int]:
    return meter.due_ms, meter.began_ms
