"""The balance of a local month (月): of its days' complete slots, and of the gaps that registers bridge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from cloud_receiver.checks import bridging, carbon_balance, day_sum, load, parties, tolerance
from cloud_receiver.checks.bridging import Bridge
from cloud_receiver.checks.carbon_balance import CarbonBalance, CarbonTally
from cloud_receiver.checks.conversion import of_meters
from cloud_receiver.checks.day import Draft, local_time
from cloud_receiver.checks.day_sum import DaySum
from cloud_receiver.checks.model import SLOT_MS, STATION, Context, Kind, Severity
from cloud_receiver.checks.parties import MeterCarbon
from cloud_receiver.checks.tolerance import Balance, Run, tally
from cloud_receiver.config import Checks
from cloud_receiver.factor_messages import latest
from cloud_receiver.registry import Role
from cloud_receiver.schema import day_check
from diantan_core import next_day_start_ms, next_month_start_ms

_SHOWN_GAPS = 50


@dataclass(frozen=True, slots=True)
class Month:
    """What is known of a month's balance."""

    first_ms: int
    end_ms: int
    expected_ms: int
    """Of the month, from when the station is expected to report."""
    energy: Balance | None
    carbon: CarbonBalance | None
    bridged: Sequence[tuple[int, int]]
    missing: Sequence[tuple[int, int]]
    days: Sequence[DaySum]

    def gaps(self, zone: ZoneInfo) -> dict[str, object]:
        """Return which slots were not there, as JSON takes it: bridged by registers, or missing from the balance."""
        result: dict[str, object] = {"expected_slots": self.expected_ms // SLOT_MS}
        for name, spans in (("bridged", self.bridged), ("missing", self.missing)):
            result[f"{name}_slots"] = sum(end - first for first, end in spans) // SLOT_MS
            shown = spans[:_SHOWN_GAPS]
            result[name] = [[local_time(first, zone), local_time(end, zone)] for first, end in shown]
        return result


def start_ms(time_ms: int, timezone: str) -> int:
    """Return the local midnight that begins the month of an instant (ms UTC)."""
    zone = ZoneInfo(timezone)
    local = datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(zone)
    return int(datetime(local.year, local.month, 1, tzinfo=zone).timestamp()) * 1000


def make(
    connection: Connection, context: Context, first_ms: int, settings: Checks, *, begin_ms: int, registry: str
) -> Month:
    """Return the balance of the month that begins at `first_ms`; nothing is expected before `begin_ms`.

    `registry` is the digest of the station's entry: days that were summed by another one are summed anew.
    """
    end_ms = next_month_start_ms(first_ms, context.station.timezone)
    expected = (max(first_ms, begin_ms), end_ms)
    days = list(_days(connection, context, first_ms, end_ms, registry))
    energy = tolerance.total([day.energy for day in days])
    runs = [(run.first_ms, run.end_ms) for run in energy.runs]
    bridges: list[Bridge] = []
    missing: list[tuple[int, int]] = []
    for place, gap in enumerate(bridging.gaps(runs, *expected)):
        bridge = bridging.bridge(connection, context, *gap) if runs and place < bridging.MOST_GAPS else None
        if bridge is None:
            missing.append(gap)
        else:
            bridges.append(bridge)
    whole = tolerance.total([energy, tally(context, [bridge.slot for bridge in bridges])])
    carbon = carbon_balance.total(
        [
            *(day.carbon for day in days),
            *(found for bridge in bridges if (found := _carbon(connection, context, bridge)) is not None),
        ]
    )
    return Month(
        first_ms,
        end_ms,
        max(0, expected[1] - expected[0]),
        tolerance.judge(context, whole, settings.coverage_factor),
        carbon_balance.judge(context, carbon, settings.coverage_factor),
        [(bridge.slot.start_ms, bridge.slot.end_ms) for bridge in bridges],
        missing,
        days,
    )


def findings(connection: Connection, context: Context, month: Month) -> list[Draft]:
    """Return what is beyond tolerance in a month that is over, and whose carbon deviates over it."""
    zone = ZoneInfo(context.station.timezone)
    drafts = []
    starts = [month.first_ms, month.end_ms - SLOT_MS]
    if month.energy is not None and not month.energy.within:
        detail = month.energy.evidence()
        drafts.append(Draft(Kind.BALANCE_MONTH.value, STATION, Severity.ALARM.value, starts, [detail]))
    carbon = month.carbon
    if carbon is not None and not carbon.within and not carbon.by_energy:
        drafts.append(
            Draft(Kind.CARBON_BALANCE_MONTH.value, STATION, Severity.ALARM.value, starts, [carbon.evidence()])
        )
    for draft in drafts:
        draft.more = {"slots": [], "month": local_time(month.first_ms, zone)[:7], **month.gaps(zone)}
    span = (month.first_ms, month.end_ms)
    return drafts + parties.findings(connection, context, span, _carbons(month.days), month=True)


def _carbons(days: Sequence[DaySum]) -> dict[int, MeterCarbon]:
    """Return the carbon of the month of each meter that has carbon registers of its own."""
    result = {}
    for number in sorted({number for day in days for number in day.parties}):
        found = [day.parties[number] for day in days if number in day.parties]
        whole = parties.total(found)
        result[number] = replace(whole, covered=whole.covered and len(found) == len(days))
    return result


def _days(connection: Connection, context: Context, first_ms: int, end_ms: int, registry: str) -> Iterator[DaySum]:
    stored = {
        row.day_ms: row.content
        for row in connection.execute(
            select(day_check.c.day_ms, day_check.c.content).where(
                day_check.c.station == context.number, day_check.c.day_ms >= first_ms, day_check.c.day_ms < end_ms
            )
        )
    }
    day_ms = first_ms
    while day_ms < end_ms:
        next_ms = next_day_start_ms(day_ms, context.station.timezone)
        text = stored.get(day_ms)
        found = None if text is None else day_sum.from_json(text, registry)
        if found is None:
            results = load.results_of_day(connection, context.number, day_ms, next_ms)
            found = day_sum.make(results, context, parties.of_day(connection, context, day_ms, next_ms))
            if text is not None and connection.get_execution_options().get("writes"):
                connection.execute(
                    update(day_check)
                    .where(day_check.c.station == context.number, day_check.c.day_ms == day_ms)
                    .values(content=day_sum.to_json(found, registry))
                )
        yield found
        day_ms = next_ms


def _carbon(connection: Connection, context: Context, bridge: Bridge) -> CarbonTally | None:
    """Return the carbon over a bridged gap; None where a register or a factor of it is not known.

    Of the modelled loss only the energy is known, so that its carbon may be off by the range of the factors. So is what
    an imbalance of energy explains: at most the range times all that was counted.
    """
    slot = bridge.slot
    dispatched = latest(connection, context.station.node, slot.start_ms, slot.end_ms - 1)
    factors = [factor for factor in dispatched.values() if factor is not None]
    if bridge.carbon_ug is None or len(factors) * SLOT_MS != slot.duration_ms:
        return None
    mean, spread = sum(factors) // len(factors), max(factors) - min(factors)
    sums = {
        role: sum(bridge.carbon_ug[number] for number in context.numbers(role) if number in bridge.carbon_ug)
        for role in (Role.CHARGER, Role.AUXILIARY, Role.GRID)
    }
    found = carbon_balance.of(
        context,
        [
            (
                slot,
                {
                    "factor": mean,
                    "chargers_ug": sums[Role.CHARGER],
                    "auxiliary_ug": sums[Role.AUXILIARY],
                    "grid_ug": sums[Role.GRID],
                    "records": 2 * len(bridge.carbon_ug),
                },
            )
        ],
    )
    counted = sum(sum(pair) for pair in slot.energy.values())
    modelled = 0.0 if context.numbers(Role.AUXILIARY) else tolerance.auxiliary_mwh(context, slot.duration_ms)
    loss, _ = tolerance.loss_bounds(context, slot, context.numbers(Role.CHARGER))
    found.spread_ng += (loss + modelled + of_meters(context, slot.energy).mwh) * spread
    found.unexplained_ng += spread * counted
    found.runs = [Run(slot.start_ms, slot.end_ms, mean, mean, (max(factors) - mean) ** 2 + (mean - min(factors)) ** 2)]
    return found
