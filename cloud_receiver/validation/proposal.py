"""What an estimate of a gap, or of slots that failed, would be: the method that fits, and what it rests on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, measured, without_overlaps
from cloud_receiver.checks.tolerance import balance
from cloud_receiver.registry import Role
from cloud_receiver.schema import interval
from cloud_receiver.validation import load, methods
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.estimates import Edit, EstimateError, Part
from cloud_receiver.validation.methods import Method, Span
from cloud_receiver.validation.model import Window
from cloud_receiver.validation.rules.amounts import limit_mwh, most_mwh

LONGEST_MS: Final = 31 * load.DAY_MS
"""A longer gap is not estimated as one: nobody would believe its profile."""
_AROUND_MS: Final = load.DAY_MS
"""How far around a gap the balance must close for an estimate to rest on it."""

Pairs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Proposer:
    """Makes proposals for the meters of one station."""

    connection: Connection
    context: Context
    settings: Validation
    coverage_factor: float
    last: dict[tuple[int, int], Window] = field(default_factory=dict, repr=False)
    """The window read last: when a gateway was away the gaps of its meters are the same."""

    def gap(self, meter: int, first_ms: int, end_ms: int, method: Method | None = None) -> Edit:
        """Return an estimate of a time without intervals; EstimateError says of each method why it can't be."""
        before, after = self._neighbours(meter, first_ms, end_ms)
        whole = (before.end_ms if before else first_ms, after.start_ms if after else end_ms)
        if whole[0] >= whole[1]:
            raise EstimateError(f"meter {self.context.name(meter)}: intervals overlap the time that is to be estimated")
        _bounded(*whole)
        window = self._window(*whole)
        refused: dict[str, str] = {}
        if method in (None, Method.REGISTER):
            total = methods.register_total(before, after, window.events)
            if not isinstance(total, str) and max(total) > self._most(window, meter, whole[1] - whole[0]):
                total = "the register counts more than the rated power gives in that time"
            if not isinstance(total, str):
                return self._register(window, meter, methods.pieces(*whole), total)
            refused[Method.REGISTER] = total
        return self._without_total(window, meter, methods.pieces(first_ms, end_ms), method, refused)

    def _most(self, window: Window, meter: int, duration_ms: int) -> int:
        return limit_mwh(window, self.context.meters[meter], duration_ms, self.settings)

    def slots(self, meter: int, starts: Sequence[int], why: str, method: Method | None = None) -> Edit:
        """Return an estimate of slots whose readings failed; EstimateError as for `gap`."""
        if method is Method.REGISTER:
            raise EstimateError("register: the slots have readings, and these are what the register counted")
        _bounded(min(starts), max(starts) + SLOT_MS)
        spans = [Span(start, SLOT_MS) for start in sorted(starts)]
        window = self._window(min(starts), max(starts) + SLOT_MS)
        edit = self._without_total(window, meter, spans, method, {}, replaces=True)
        return Edit(edit.meter, edit.method, edit.parts, {**edit.basis, "failed": why}, replaces=True)

    def _neighbours(self, meter: int, first_ms: int, end_ms: int) -> tuple[IntervalRow | None, IntervalRow | None]:
        """Return the intervals right before and after a time without any, as far as a gap may reach."""
        columns = [interval.c[name] for name in IntervalRow._fields]
        of_meter = select(*columns).where(interval.c.station == self.context.number, interval.c.meter == meter).limit(1)
        before = self.connection.execute(
            of_meter.where(interval.c.start_ms < first_ms, interval.c.start_ms >= first_ms - LONGEST_MS).order_by(
                interval.c.start_ms.desc(), interval.c.journal.desc(), interval.c.sequence.desc()
            )
        ).first()
        after = self.connection.execute(
            of_meter.where(interval.c.start_ms >= end_ms, interval.c.start_ms < end_ms + LONGEST_MS).order_by(
                interval.c.start_ms, interval.c.journal, interval.c.sequence
            )
        ).first()
        return (
            None if before is None else IntervalRow._make(before),
            None if after is None else IntervalRow._make(after),
        )

    def _window(self, first_ms: int, end_ms: int) -> Window:
        low, high = (time - time % SLOT_MS for time in (first_ms - _AROUND_MS, end_ms + _AROUND_MS))
        if (low, high) not in self.last:
            self.last.clear()
            self.last[low, high] = load.window(
                self.connection,
                self.context,
                (low, high),
                begin_ms=low,
                deadline_ms=high,
                history_days=0,
                coverage_factor=self.coverage_factor,
            )
        return self.last[low, high]

    def _register(self, window: Window, meter: int, spans: Sequence[Span], total: tuple[int, int]) -> Edit:
        """Share the register's difference: by the balance's profile, or like days', or evenly over time."""
        shapes: tuple[tuple[str, Callable[[], Pairs | str]], ...] = (
            (Method.BALANCE, lambda: self._balance(window, meter, spans)),
            (Method.LIKE_DAY, lambda: self._like_day(meter, spans)),
        )
        limits = [limit_mwh(window, self.context.meters[meter], span.duration_ms, self.settings) for span in spans]
        for shape, make in shapes:
            profile = make()
            if isinstance(profile, str):
                continue
            forward, reverse = (methods.shared(total[place], [pair[place] for pair in profile]) for place in (0, 1))
            if all(max(pair) <= limit for *pair, limit in zip(forward, reverse, limits, strict=True)):
                return _edit(meter, Method.REGISTER, spans, list(zip(forward, reverse, strict=True)), shape=shape)
        durations = [span.duration_ms for span in spans]
        even = [methods.shared(amount, durations) for amount in total]
        return _edit(meter, Method.REGISTER, spans, list(zip(*even, strict=True)), shape="even")

    def _without_total(
        self,
        window: Window,
        meter: int,
        spans: Sequence[Span],
        method: Method | None,
        refused: dict[str, str],
        *,
        replaces: bool = False,
    ) -> Edit:
        if method in (None, Method.BALANCE):
            found = self._balance(window, meter, spans, replaces=replaces)
            if not isinstance(found, str):
                return _edit(meter, Method.BALANCE, spans, found)
            refused[Method.BALANCE] = found
        if method in (None, Method.LIKE_DAY):
            found = self._like_day(meter, spans)
            if not isinstance(found, str):
                return _edit(meter, Method.LIKE_DAY, spans, found, weeks=self.settings.estimation.like_days)
            refused[Method.LIKE_DAY] = found
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise EstimateError(f"meter {self.context.name(meter)}: no estimate ({reasons})")

    def _balance(self, window: Window, meter: int, spans: Sequence[Span], *, replaces: bool = False) -> Pairs | str:
        wanted = {span.slot_ms for span in spans}
        if len(wanted) < len(spans):
            return "several gaps in one slot"
        closing = [
            energy for _, energy in window.balanced if wanted.isdisjoint(range(energy.start_ms, energy.end_ms, SLOT_MS))
        ]
        slots = sum(energy.duration_ms for energy in closing) // SLOT_MS
        if slots < self.settings.estimation.balance_slots:
            return f"{slots} complete slots around, expected {self.settings.estimation.balance_slots}"
        total = balance(self.context, closing, self.coverage_factor)
        if total is None or not total.within:
            return "the station's balance does not close"
        result: Pairs = []
        for span in spans:
            pair = self._from_others(window, meter, span.slot_ms, replaces=replaces)
            if isinstance(pair, str):
                return pair
            result.append(pair)
        return result

    def _from_others(self, window: Window, meter: int, slot_ms: int, *, replaces: bool) -> tuple[int, int] | str:
        """Return what the others leave to a meter in a slot, less what it has counted there itself."""
        context = self.context.at(slot_ms)
        rows = window.kept.get(slot_ms, {})
        energy = {
            number: other.turned(sum(row.forward_mwh for row in found), sum(row.reverse_mwh for row in found))
            for number, other in context.balanced().items()
            if number != meter and measured(found := rows.get(number, []))
        }
        found_net = methods.by_balance(context, energy, meter, slot_ms, self.coverage_factor)
        if isinstance(found_net, str):
            return found_net
        net, tolerance = found_net
        known = context.meters[meter]
        if not replaces:
            sign = -1 if known.inverted else 1
            net -= sign * sum(row.forward_mwh - row.reverse_mwh for row in rows.get(meter, []))
        if abs(net) > limit_mwh(window, known, SLOT_MS, self.settings):
            return "the rest of the balance is beyond the meter's rated power"
        if net < 0 and known.role is not Role.GRID:
            return (0, 0) if -net <= tolerance else "the other meters count more than the grid side"
        return known.turned(max(net, 0), max(-net, 0))

    def _like_day(self, meter: int, spans: Sequence[Span]) -> Pairs | str:
        zone = ZoneInfo(self.context.station.timezone)
        days = []
        most = most_mwh(self.context, self.context.meters[meter], SLOT_MS, self.settings)
        for weeks in range(1, self.settings.estimation.like_days + 1):
            # At the end of summer time two slots have one time of the clock: both stand for the same.
            then = {span.slot_ms: _weeks_before(span.slot_ms, weeks, zone) for span in spans}
            found = _energies(load.rows_of(self.connection, self.context.number, meter, _runs(then.values())))
            # What can't have been is like nothing.
            days.append({slot: found[past] for slot, past in then.items() if max(found.get(past, (most + 1,))) <= most})
        return methods.like_day(days, spans, self.settings.estimation.like_days_minimum)


def _energies(rows: Sequence[IntervalRow]) -> dict[int, tuple[int, int]]:
    """Return the energies of the slots that are measured."""
    by_slot: dict[int, list[IntervalRow]] = {}
    for row in rows:
        by_slot.setdefault(row.start_ms - row.start_ms % SLOT_MS, []).append(row)
    result = {}
    for start, found in by_slot.items():
        kept = without_overlaps(found)[0]
        if measured(kept):
            result[start] = (sum(row.forward_mwh for row in kept), sum(row.reverse_mwh for row in kept))
    return result


def _weeks_before(time_ms: int, weeks: int, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)
    return int((local - timedelta(weeks=weeks)).timestamp()) * 1000  # the same time of the clock on the wall


def _runs(starts: Iterable[int]) -> list[tuple[int, int]]:
    """Return spans [first, end) that cover the slots: each costs a query."""
    result: list[tuple[int, int]] = []
    for start in sorted(set(starts)):
        if result and result[-1][1] == start:
            result[-1] = result[-1][0], start + SLOT_MS
        else:
            result.append((start, start + SLOT_MS))
    return result


def _edit(meter: int, method: Method, spans: Sequence[Span], energies: Pairs, **basis: object) -> Edit:
    parts = tuple(
        Part(span.start_ms, span.duration_ms, forward, reverse)
        for span, (forward, reverse) in zip(spans, energies, strict=True)
    )
    totals = {
        "forward_mwh": sum(part.forward_mwh for part in parts),
        "reverse_mwh": sum(part.reverse_mwh for part in parts),
        "total_measured": method is Method.REGISTER,
    }
    return Edit(meter, method.value, parts, {**totals, **basis})


def _bounded(first_ms: int, end_ms: int) -> None:
    if end_ms - first_ms > LONGEST_MS:
        raise EstimateError(f"{(end_ms - first_ms) // load.DAY_MS} days: expected at most 31 to be estimated at once")
