"""`diantan-receiver edits`: the estimates of a station, made and withdrawn by people."""

import argparse
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cloud_receiver import database
from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.checks.tolerance import MWH_PER_KWH
from cloud_receiver.grid.analysis.periods import Span
from cloud_receiver.orders.command_line import login_name
from cloud_receiver.report_text import kwh, printable
from cloud_receiver.validation import estimates, load, methods
from cloud_receiver.validation.automatic import PROGRAM
from cloud_receiver.validation.command import known_meter, opened, slots_between
from cloud_receiver.validation.estimates import Edit, Estimate, EstimateError, Part, State
from cloud_receiver.validation.methods import Method
from cloud_receiver.validation.model import period_ms
from cloud_receiver.validation.proposal import LONGEST_MS, Proposer
from cloud_receiver.validation.rules.amounts import most_mwh
from wire.domain import MAX_AMOUNT, MAX_TIME_MS


def listed(options: argparse.Namespace) -> None:
    """List the edits of a station; those that are not in force too when asked."""
    with opened(options) as store:
        context = store.context(options.station)
        first_ms, end_ms = 0, MAX_TIME_MS
        if options.first is None and options.end is not None:
            raise EstimateError("--to goes with --from")
        if options.first is not None:
            span = slots_between(options.first, options.end, context.station.timezone)
            first_ms, end_ms = span.first_ms, span.end_ms
        with database.reading(store.engine) as connection:
            found = estimates.stored(connection, context.number, first_ms, end_ms)
    if options.meter is not None:
        known_meter(context, options.meter, *context.unknown.values())
    shown = [
        item
        for item in found
        if options.meter in {None, context.name(item.meter)} and (options.all or item.state is State.IN_FORCE)
    ]
    rows = _edits(shown, context)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))  # noqa: T201  # the answer
        return
    for row in rows:
        ended = f"  {row['ended']['by']}: {row['ended']['reason']}" if isinstance(row["ended"], dict) else ""
        print(  # noqa: T201  # the answer
            f"{row['edit']}  {row['state']}  {printable(str(row['meter']))}  {row['from']} .. {row['to']}  "
            f"{row['parts']} parts  {row['energy_forward_kwh']} kWh  {row['method']}"
            f"{'  beside failed readings' if row['replaces'] else ''}  "
            f"by {row['made_by']} {row['made']}: {row['reason']}{ended}"
        )


def _edits(items: Iterable[Estimate], context: Context) -> list[dict[str, object]]:
    """Return one row for each edit and state of its parts, in order of their first slot."""
    zone = ZoneInfo(context.station.timezone)

    def key(item: Estimate) -> tuple[str, str]:
        return item.edit, item.state.value

    rows = []
    for (edit, state), group in groupby(sorted(items, key=key), key):
        found = sorted(group, key=lambda item: item.part.start_ms)
        first, last = found[0], found[-1]
        rows.append(
            {
                "edit": edit,
                "state": state,
                "meter": context.name(first.meter),
                "from": local_time(first.part.start_ms, zone),
                "to": local_time(last.part.start_ms + last.part.duration_ms, zone),
                "parts": len(found),
                "energy_forward_kwh": kwh(sum(item.part.forward_mwh for item in found)),
                "energy_reverse_kwh": kwh(sum(item.part.reverse_mwh for item in found)),
                "method": first.method,
                "replaces": first.replaces,
                "basis": first.basis,
                "made_by": first.made_by,
                "made": local_time(first.made_ms, zone),
                "reason": first.reason,
                "ended": None
                if last.ended_ms is None
                else {"by": last.ended_by, "at": local_time(last.ended_ms, zone), "reason": last.ended_reason},
                "slots": [
                    {
                        "start": local_time(item.part.start_ms, zone),
                        "duration_s": item.part.duration_ms // 1000,
                        "version": item.version,
                        "energy_forward_kwh": kwh(item.part.forward_mwh),
                        "energy_reverse_kwh": kwh(item.part.reverse_mwh),
                    }
                    for item in found
                ],
            }
        )
    return sorted(rows, key=lambda row: (str(row["from"]), str(row["meter"]), str(row["made"])))


def make(options: argparse.Namespace) -> None:
    """Estimate what is missing of a meter, or with `--replace` beside its readings."""
    author = _author(options)
    with opened(options) as store:
        context = store.context(options.station)
        span = slots_between(options.first, options.end, context.station.timezone)
        if span.end_ms - span.first_ms > LONGEST_MS:
            raise EstimateError("expected at most 31 days at once")
        if span.end_ms > store.now_ms:
            raise EstimateError("expected a time that is over: nothing is missing of what has not come")
        meter = _meter(context, options.meter, span)
        checks = store.settings.checks
        with database.writing(store.engine) as connection:
            proposer = Proposer(connection, context, store.settings.validation, checks.coverage_factor)
            wanted = list(range(span.first_ms, span.end_ms, SLOT_MS))
            made = [
                (edit, _entered(connection, context.number, edit, (author, options.reason, store.now_ms)))
                for edit in _proposed(connection, proposer, meter, wanted, options)
            ]
    zone = ZoneInfo(context.station.timezone)
    for edit, number in made:
        end = edit.parts[-1]
        print(  # noqa: T201  # the answer
            f"edit {number}: {printable(options.meter)} {local_time(edit.parts[0].start_ms, zone)} .. "
            f"{local_time(end.start_ms + end.duration_ms, zone)}, {len(edit.parts)} parts, "
            f"{kwh(sum(part.forward_mwh for part in edit.parts))} kWh, {edit.method}"
        )


def _proposed(
    connection: Connection, proposer: Proposer, meter: int, wanted: Sequence[int], options: argparse.Namespace
) -> list[Edit]:
    method = None if options.method == "auto" else Method(options.method)
    if (method is Method.VALUE) != (options.value_kwh is not None):
        raise EstimateError("--value-kwh goes with --method value, and is needed there")
    if options.reverse_kwh is not None and method is not Method.VALUE:
        raise EstimateError("--reverse-kwh goes with --method value")
    period = period_ms(proposer.context.meters[meter])
    reach = wanted[0] - wanted[0] % period, wanted[-1] + SLOT_MS
    rows = load.rows_of(connection, proposer.context.number, meter, [reach])
    spans = methods.covered(rows, period)
    gaps = [(wanted[0], wanted[-1] + SLOT_MS)] if options.replace else methods.gaps(spans, wanted)
    if options.replace:
        _replaceable(options.meter, spans, wanted, period)
    if not gaps:
        raise EstimateError(f"meter {options.meter}: no interval is missing there; --replace estimates beside readings")
    if method is Method.VALUE:
        edit = _given(meter, gaps, options)
        duration_ms = sum(part.duration_ms for part in edit.parts)
        most = most_mwh(proposer.context, proposer.context.meters[meter], duration_ms, proposer.settings)
        given = max(sum(part.forward_mwh for part in edit.parts), sum(part.reverse_mwh for part in edit.parts))
        if given > most:
            expected = f"at most {kwh(most)} kWh, which the rated power gives in the {duration_ms // 60_000} min"
            raise EstimateError(f"meter {options.meter}: expected {expected}, found {kwh(given)} kWh")
        return [edit]
    if options.replace:
        return [proposer.slots(meter, wanted, options.reason, method)]
    return [proposer.gap(meter, first_ms, end_ms, method) for first_ms, end_ms in gaps]


def _replaceable(name: str, spans: Sequence[tuple[int, int]], wanted: Sequence[int], period_ms: int) -> None:
    """Refuse slots without a reading: what is estimated beside one stays when one comes."""
    first_ms, end_ms = wanted[0], wanted[-1] + SLOT_MS
    if first_ms % period_ms or end_ms % period_ms:
        raise EstimateError(f"--replace: expected whole intervals of meter {name}, {period_ms // 1000} s each")
    present = {start - start % SLOT_MS for start, _ in spans}
    without = sum(slot not in present for slot in wanted)
    if without:
        found = f"{without} of {len(wanted)} slots"
        raise EstimateError(f"--replace: meter {name} has no readings in {found}: what is missing is no replacement")


def _given(meter: int, gaps: Sequence[tuple[int, int]], options: argparse.Namespace) -> Edit:
    """Share what a person gives for the whole evenly over the time."""
    spans = [span for gap in gaps for span in methods.pieces(*gap)]
    durations = [span.duration_ms for span in spans]
    shares = [
        methods.shared(_mwh(value, name), durations)
        for value, name in ((options.value_kwh, "--value-kwh"), (options.reverse_kwh, "--reverse-kwh"))
    ]
    parts = tuple(
        Part(span.start_ms, span.duration_ms, forward, reverse)
        for span, forward, reverse in zip(spans, *shares, strict=True)
    )
    basis = {"forward_mwh": sum(shares[0]), "reverse_mwh": sum(shares[1]), "total_measured": False}
    return Edit(meter, Method.VALUE.value, parts, basis, replaces=options.replace)


def _mwh(value: Decimal | None, name: str) -> int:
    given = value or Decimal(0)
    # In this order: what is far too large or has far too many digits is not multiplied.
    if not 0 <= given < MAX_AMOUNT // MWH_PER_KWH or given != round(given, 6):
        raise EstimateError(f"{name} {value}: expected 0 or more, in kWh with at most six decimals")
    return int(given * MWH_PER_KWH)


def _meter(context: Context, name: str, span: Span) -> int:
    """Return the meter's number in a span; where it moved to another gateway, the one that counted then."""
    known_meter(context, name)
    starts = range(span.first_ms, span.end_ms, SLOT_MS)
    numbers = [number for number, meter in context.meters.items() if meter.id == name]
    serving = {number: sum(context.meters[number].in_service(start) for start in starts) for number in numbers}
    number = max(numbers, key=lambda item: (serving[item], item))
    if serving[number] < len(starts):
        raise EstimateError(
            f"meter {name}: expected a time in which it is in service, found {len(starts) - serving[number]} slots of "
            f"{len(starts)} in which it is not"
        )
    return number


def _author(options: argparse.Namespace) -> str:
    author = str(options.by if options.by is not None else login_name())
    if author.strip().casefold().startswith(PROGRAM.strip()):
        raise EstimateError(f"--by {author!r}: expected a person, not the program")
    return author


def _entered(connection: Connection, station: int, edit: Edit, signed: tuple[str, str, int]) -> str:
    author, reason, now_ms = signed
    return estimates.enter(connection, station, edit, made_by=author, reason=reason, now_ms=now_ms)


def withdraw(options: argparse.Namespace) -> None:
    """Withdraw an edit: its rows stay and say who and why, and what it superseded is in force again."""
    author = _author(options)
    with opened(options) as store, database.writing(store.engine) as connection:
        count = estimates.withdraw(connection, options.edit, by=author, reason=options.reason, now_ms=store.now_ms)
    print(f"edit {options.edit}: {count} parts withdrawn")  # noqa: T201  # the answer
