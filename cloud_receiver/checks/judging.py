"""Slots, days and months of a station through all checks, each within one transaction that keeps what was found."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert

from cloud_receiver import findings
from cloud_receiver.checks import causes, day_sum, freezes, gateways, load, month, parties
from cloud_receiver.checks.causes import Checked
from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.day import findings as findings_of_day
from cloud_receiver.checks.evaluate import evaluate
from cloud_receiver.checks.model import SLOT_MS, Context, Kind
from cloud_receiver.completeness import day as completeness
from cloud_receiver.completeness import limits
from cloud_receiver.config import Checks
from cloud_receiver.sales import day as sales_day
from cloud_receiver.sales.config import Sales
from cloud_receiver.schema import slot_check
from cloud_receiver.validation import day_end
from cloud_receiver.validation.config import Validation
from diantan_core import next_day_start_ms, next_month_start_ms

log = logging.getLogger(__name__)

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of the checks knows of a station."""

    now_ms: int
    deadline_ms: int
    """Start of the newest slot whose deadline has passed, or a time before it."""
    through_message: int
    """The last message of the store when the round began."""
    begin_ms: int | None
    """From when the station's meters are expected to report; None before its first record."""

    def begin(self, otherwise_ms: int) -> int:
        """Return from when its meters are expected to report."""
        return otherwise_ms if self.begin_ms is None else self.begin_ms


@dataclass(slots=True)
class Judge:
    """The checks with their settings."""

    settings: Checks
    validation: Validation
    sales: Sales
    digest: str = field(init=False)
    """Of what of the settings may change a finding."""

    def __post_init__(self) -> None:
        """Work out the digest."""
        self.digest = causes.digest_of_settings(self.settings, self.validation, self.sales)

    def slots(self, connection: Connection, context: Context, starts: Sequence[int], known: Round) -> None:
        """Check slots and keep their results."""
        found = load.slots(connection, context, starts, known.begin(starts[0]), known.deadline_ms)
        results = [(slot.start_ms, evaluate(slot, context, self.settings)) for slot in found]
        connection.execute(
            delete(slot_check).where(
                slot_check.c.station == context.number, slot_check.c.start_ms.in_([start for start, _ in results])
            )
        )
        connection.execute(
            insert(slot_check),
            [
                {
                    "station": context.number,
                    "start_ms": start,
                    "complete": int(result["energy"] is not None),
                    "result": json.dumps(result, separators=(",", ":")),
                    "checked_ms": known.now_ms,
                }
                for start, result in results
            ],
        )

    def day(
        self, connection: Connection, context: Context, day_ms: int, known: Round, *, asked: str | None = None
    ) -> Checked | None:
        """Judge a local day, for who `asked` for it; return how far it had been checked before."""
        span = day_ms, next_day_start_ms(day_ms, context.station.timezone)
        results = load.results_of_day(connection, context.number, *span)
        over = span[1] - SLOT_MS <= known.deadline_ms
        drafts = findings_of_day(results, context, self.settings, over=over)
        drafts += freezes.findings(connection, context, span[1])
        drafts += gateways.findings(connection, context.number, *span)
        if over:
            drafts += self._validated(connection, context, span, known)
        drafts += sales_day.findings(
            *(connection, context, span, self.sales),
            coverage_factor=self.settings.coverage_factor,
            now_ms=known.now_ms,
            over=over,
        )
        registry = causes.digest(context.station)
        checked = self._checked(registry, known)
        before = causes.checked(connection, context.number, day_ms)
        if over:
            drafts += self._complete(connection, context, span, known)
        carbons = parties.of_day(connection, context, *span)
        drafts += parties.findings(connection, context, span, carbons)
        opened, closed = findings.synchronise(
            *(connection, context, day_ms, drafts, known.now_ms),
            cause=lambda: causes.cause(connection, context, span, before, checked, asked=asked),
            running=not over,
        )
        content = day_sum.to_json(day_sum.make(results, context, carbons), registry) if over else "{}"
        causes.enter(connection, context.number, day_ms, checked, over=over, content=content)
        _tell(context, opened, closed)
        return before

    def month(
        self,
        connection: Connection,
        context: Context,
        month_ms: int,
        before: Sequence[Checked | None],
        known: Round,
        *,
        asked: str | None = None,
    ) -> None:
        """Judge a local month that is over, and whose days have just been judged; `before`: when they were last."""
        span = month_ms, next_month_start_ms(month_ms, context.station.timezone)
        registry = causes.digest(context.station)
        begin_ms = known.begin(month_ms)
        found = month.make(connection, context, month_ms, self.settings, begin_ms=begin_ms, registry=registry)
        checked = self._checked(registry, known)
        drafts = month.findings(connection, context, found)
        figures = limits.of_month(connection, context.number, *span)
        drafts += limits.findings(Kind.COMPLETENESS_MONTH, span, figures, self.settings)
        opened, closed = findings.synchronise(
            *(connection, context, month_ms, drafts, known.now_ms),
            monthly=True,
            cause=lambda: causes.cause(connection, context, span, causes.earliest(before), checked, asked=asked),
        )
        _tell(context, opened, closed)

    def _checked(self, registry: str, known: Round) -> Checked:
        return Checked(known.now_ms, known.through_message, registry, self.digest)

    def _validated(self, connection: Connection, context: Context, span: tuple[int, int], known: Round) -> list[Draft]:
        begin_ms, factor = known.begin(span[0]), self.settings.coverage_factor
        if self.validation.enabled:
            return day_end.findings(
                *(connection, context, span, self.validation),
                begin_ms=begin_ms,
                deadline_ms=known.deadline_ms,
                coverage_factor=factor,
                now_ms=known.now_ms,
            )
        # What a person has estimated ends with the readings, whether rules are run or not.
        day_end.late(
            *(connection, context, span),
            begin_ms=begin_ms,
            deadline_ms=known.deadline_ms,
            coverage_factor=factor,
            now_ms=known.now_ms,
        )
        return []

    def _complete(self, connection: Connection, context: Context, span: tuple[int, int], known: Round) -> list[Draft]:
        grace_ms = self.settings.grace_minutes * MINUTE_MS
        figures = completeness.figures(connection, context, span, begin_ms=known.begin(span[0]), grace_ms=grace_ms)
        completeness.enter(connection, context.number, span[0], figures, known.now_ms)
        return limits.findings(Kind.COMPLETENESS_DAY, span, figures, self.settings)


def _tell(context: Context, opened: int, closed: int) -> None:
    if opened or closed:
        log.info("station %s: %d findings opened, %d closed", context.station.id, opened, closed)
