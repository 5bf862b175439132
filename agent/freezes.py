"""Freezes (冻结) read from the meters' own freeze objects after midnight, checked, and told once.

Every midnight at which the gateway froze a meter's registers leaves a wish for the meter's own freeze. A wish is stored
with the gateway's freeze and goes with the record that fulfils it, or with the event that says why there is none: so
each midnight is told once, also over restarts, and those that an outage missed are read as far back as the meter keeps
them.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from agent.logs import log
from agent.reading import Reading
from agent.spare import Errand
from profiles import Profile
from wire.domain import EMISSION_END_UG
from wire.records import DetailKey, EventCode, EventRecord, FreezeKind, FreezeRecord, FreezeSource, Record

TABLES: Final = {FreezeKind.DAILY: "daily_freezes", FreezeKind.MONTHLY: "monthly_freezes"}
RETRY_MS: Final = 60_000  # doubles up to the next
LONGEST_RETRY_MS: Final = 1_800_000
OVERDUE_MS: Final = 3_600_000  # an errand that its line has not brought back by then is sent again
STAMP_MS: Final = 60_000
"""How far beside its midnight a freeze may be dated: there are meters that write 23:59:59, or a few seconds later."""
_FREEZE_STEP_MWH: Final = 10_000  # 0.01 kWh, in which both DL/T protocols freeze energies
_NG_PER_UG: Final = 1000
_PER_MARGIN: Final = 10  # readings that are remembered, however often the meter is read
_MOST_WISHES: Final = 500  # more than any meter keeps
_LONGEST_REASON: Final = 80  # characters: at most 256 bytes of UTF-8 travel

Registers = tuple[int, int]  # forward and reverse, mWh


@dataclass(slots=True)
class Wish:
    """A meter's freeze that is still to be read, and what is known of it."""

    time_ms: int
    kind: FreezeKind
    reverse_mwh: int  # the gateway's own freeze, for what the meter's does not have
    carbon_ug: tuple[int, int]
    low: Registers | None = None  # registers read safely before; None: not known
    high: Registers | None = None  # and after; None: not read yet, or not known
    checkable: bool = True  # low and high are of the same run of the registers
    attempts: int = 0
    not_before_ms: int = 0
    first_asked_ms: int | None = None
    row: int | None = None  # where the meter has it instead of where it should be
    rows: set[int] = field(default_factory=set)  # asked in this attempt


@dataclass(frozen=True, slots=True)
class FreezeSettings:
    """How freezes are read; ms."""

    timezone: str
    margin_ms: int  # how wrong the meter's clock may be
    give_up_ms: int


class MeterFreezes:
    """The freezes of one meter."""

    def __init__(
        self,
        meter: str,
        profile: Profile,
        settings: FreezeSettings,
        now_ms: Callable[[], int],
        tell: Callable[[Record], None],
    ) -> None:
        """`tell` takes each record, when the wish is gone already: what is stored with it has the rest."""
        self.wishes: list[Wish] = []
        self.failing: set[FreezeKind] = set()  # the last was not to be had, and an event has said so
        self.read = 0
        self.missing = 0
        self._meter = meter
        self._profile = profile
        self._settings = settings
        self._zone = ZoneInfo(settings.timezone)
        self._now_ms = now_ms
        self._tell = tell
        self._kinds = frozenset(kind for kind, table in TABLES.items() if table in profile.tables)
        self._recent: deque[tuple[int, Registers]] = deque()  # readings of the last two margins
        self._asked_ms: int | None = None

    def take(self, reading: Reading, records: list[Record]) -> bool:
        """Take a reading and what it closed; return whether the wishes have changed."""
        events = [record.code for record in records if isinstance(record, EventRecord)]
        for code in events:
            self._event(code)
        changed = bool(events)
        for record in records:
            if isinstance(record, FreezeRecord):
                # What broke the registers off may lie on either side of this midnight.
                changed |= self._wish(record, checkable=not events)
        registers = (reading.forward_mwh, reading.reverse_mwh)
        for wish in self.wishes:
            if wish.high is None and reading.time_ms >= wish.time_ms + self._settings.margin_ms:
                wish.high = registers
                changed = True
        if not self._recent or reading.time_ms - self._recent[-1][0] >= self._settings.margin_ms // _PER_MARGIN:
            self._recent.append((reading.time_ms, registers))
        while len(self._recent) > 1 and self._recent[1][0] <= reading.time_ms - 2 * self._settings.margin_ms:
            self._recent.popleft()
        return changed

    def leapt(self) -> None:
        """Take note that the time leapt: midnights that are still to come were none."""
        self._broken()
        self._asked_ms = None
        now = self._now_ms()
        self.wishes = [wish for wish in self.wishes if wish.time_ms <= now]
        for wish in self.wishes:
            wish.not_before_ms, wish.first_asked_ms = 0, None

    def _broken(self) -> None:
        """Take note that earlier readings say nothing of later ones."""
        self._recent.clear()
        for wish in self.wishes:
            wish.checkable &= wish.high is not None

    def _wish(self, record: FreezeRecord, *, checkable: bool) -> bool:
        # A partial freeze lies where the registers were broken off: nothing vouches that it is the same meter.
        if record.kind not in self._kinds or record.source == FreezeSource.GATEWAY_PARTIAL:
            return False
        before = [
            registers for time_ms, registers in self._recent if time_ms <= record.time_ms - self._settings.margin_ms
        ]
        carbon = (record.carbon_forward_total_ug, record.carbon_reverse_total_ug)
        low = before[-1] if before else None
        reverse = record.reverse_total_mwh
        self.wishes.append(Wish(record.time_ms, record.kind, reverse, carbon, low, checkable=checkable))
        del self.wishes[:-_MOST_WISHES]
        return True

    def _event(self, code: EventCode) -> None:
        self._broken()
        if code == EventCode.EXCHANGE:
            self.wishes.clear()  # the meter that could have fulfilled them is gone
            self.failing.clear()

    def errand(self) -> Errand | None:
        """Return what to read now, oldest first; None while there is nothing, or it is under way."""
        now = self._now_ms()
        if self._asked_ms is not None and 0 <= now - self._asked_ms < OVERDUE_MS:
            return None
        self._asked_ms = None
        for wish in list(self.wishes):
            ready = wish.high is not None and now >= max(wish.time_ms + self._settings.margin_ms, wish.not_before_ms)
            if ready and (row := self._row(wish, now)) is not None and (errand := self._plan(wish, row)) is not None:
                self._asked_ms = now
                return errand
        return None

    def _row(self, wish: Wish, now: int) -> int | None:
        """Return which row the freeze should be in; None when a midnight is too near to know."""
        if wish.row is not None:
            return wish.row
        margin = self._settings.margin_ms
        count = midnights_between(wish.time_ms, now, wish.kind, self._zone)
        if midnights_between(wish.time_ms, now - margin, wish.kind, self._zone) != count:
            return None
        return 1 + count

    def _plan(self, wish: Wish, row: int) -> Errand | None:
        table = TABLES[wish.kind]
        try:
            blocks = self._profile.plan_row(table, row, self._settings.timezone)
        except IndexError:
            if wish.row is None:  # each midnight of an outage, which ends
                self._give_up(wish, f"the meter does not keep row {row} of {table}", once=False)
            else:
                self._give_up(wish, f"none of the rows of {table} is of this midnight")
            return None
        if wish.first_asked_ms is None:
            wish.first_asked_ms = self._now_ms()
        wish.rows.add(row)
        return Errand(blocks, partial(self._done, wish, row), partial(self._failed, wish))

    def _done(self, wish: Wish, row: int, values: dict[str, int], _: int) -> None:
        self._asked_ms = None
        if wish not in self.wishes:
            return
        found = values.get("time")
        step = None if found is None else step_to(found, wish.time_ms)
        if step == 0 and "energy_forward" in values:
            self._accept(wish, values)
        elif found is None or not step:
            self._retry(wish, f"row {row} is empty")
        elif (other := row + step) and other not in wish.rows:
            wish.row = other
        else:
            self._retry(wish, f"row {row} is of {shown(found, self._zone)}")

    def _accept(self, wish: Wish, values: dict[str, int]) -> None:
        forward, reverse = values["energy_forward"], values.get("energy_reverse", wish.reverse_mwh)
        if problem := self._implausible(wish, (forward, reverse)):
            self._give_up(wish, problem)
            return
        self.wishes.remove(wish)
        self.failing.discard(wish.kind)
        self.read += 1
        self._tell(
            FreezeRecord(
                self._meter,
                wish.time_ms,
                wish.kind,
                forward,
                reverse,
                *frozen_carbon(values, wish.carbon_ug),
                FreezeSource.METER,
            )
        )

    def _implausible(self, wish: Wish, registers: Registers) -> str | None:
        """Return why a value can't be that of this midnight: it is not between the readings before and after."""
        if not wish.checkable:
            return None
        for name, value, low, high in zip(
            ("forward", "reverse"), registers, wish.low or (None, None), wish.high or (None, None), strict=True
        ):
            step = self._resolution(name)
            if (low is not None and value < low - step) or (high is not None and value > high + step):
                return f"{name} {value} mWh is not between {low} before and {high} after"
        return None

    def _resolution(self, direction: str) -> int:
        """Return how much a frozen register may lie beside the one that is polled: one step of the coarser."""
        point = self._profile.points.get(f"energy_{direction}")
        return max(_FREEZE_STEP_MWH, 0 if point is None else point.resolution)

    def _failed(self, wish: Wish, error: Exception) -> None:
        self._asked_ms = None
        if wish in self.wishes:
            self._retry(wish, str(error))

    def _retry(self, wish: Wish, reason: str) -> None:
        now = self._now_ms()
        wish.row = None
        wish.rows.clear()
        if wish.first_asked_ms is not None and now - wish.first_asked_ms >= self._settings.give_up_ms:
            self._give_up(wish, reason)
            return
        wish.not_before_ms = now + min(RETRY_MS << min(wish.attempts, 10), LONGEST_RETRY_MS)
        wish.attempts += 1
        log.info("its %s freeze is not there yet: %s", wish.kind.name.lower(), reason, extra={"about": self._meter})

    def _give_up(self, wish: Wish, reason: str, *, once: bool = True) -> None:
        """Leave a freeze; `once`: of a meter that never gives one, the first event says enough, until it gives one."""
        self.wishes.remove(wish)
        self.missing += 1
        log.warning(
            "no %s freeze of %s: %s",
            wish.kind.name.lower(),
            shown(wish.time_ms, self._zone),
            reason,
            extra={"about": self._meter},
        )
        if once and wish.kind in self.failing:
            return
        if once:
            self.failing.add(wish.kind)
        details: dict[int, int | str] = {
            int(DetailKey.FREEZE): wish.time_ms,
            int(DetailKey.TEXT): reason[:_LONGEST_REASON],
        }
        self._tell(EventRecord(self._meter, self._now_ms(), EventCode.FREEZE_MISSING, details))


def frozen_carbon(values: Mapping[str, int], otherwise: tuple[int, int]) -> tuple[int, int]:
    """Return the frozen carbon registers in µg (profiles have ng), forward and reverse; another where there is none.

    As the gateway's own, a generating unit's emission starts again from 0 at EMISSION_END_UG.
    """
    forward, reverse = values.get("carbon_forward"), values.get("carbon_reverse")
    return (
        otherwise[0] if forward is None else forward // _NG_PER_UG % EMISSION_END_UG,
        otherwise[1] if reverse is None else reverse // _NG_PER_UG % EMISSION_END_UG,
    )


def midnights_between(after_ms: int, until_ms: int, kind: FreezeKind, zone: ZoneInfo) -> int:
    """Return how many freezes of a kind there are after one instant and not after another (ms UTC)."""
    first, last = _local(after_ms, zone), _local(until_ms, zone)
    if kind == FreezeKind.MONTHLY:
        return 12 * (last.year - first.year) + last.month - first.month
    return (last.date() - first.date()).days


def _local(time_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, zone)


def step_to(found_ms: int, wanted_ms: int) -> int:
    """Return in which direction the row of a midnight lies, from one that is dated otherwise: 1, -1, or 0: this is it.

    A meter that was without power at a midnight has a row less, one whose clock is fast one more.
    """
    if abs(found_ms - wanted_ms) <= STAMP_MS:
        return 0
    return 1 if found_ms > wanted_ms else -1


def shown(time_ms: int, zone: ZoneInfo) -> str:
    """Return a time for people, in a zone, to the minute."""
    try:
        return _local(time_ms, zone).isoformat(" ", "minutes")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"  # meters say all sorts of things
