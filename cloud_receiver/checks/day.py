"""A local day's findings, made from the results of its slots: one per kind and meter, with its evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cloud_receiver.checks import carbon_balance, tolerance
from cloud_receiver.checks.carbon_balance import SlotCarbon
from cloud_receiver.checks.evaluate import SlotResult
from cloud_receiver.checks.model import SLOT_MS, STATION, Context, Kind, Severity
from cloud_receiver.checks.suspect import suspects
from cloud_receiver.checks.tolerance import Balance, SlotEnergy, balance
from cloud_receiver.config import Checks
from cloud_receiver.registry import Role

SHOWN_DETAILS = 10
"""How many details a finding's evidence holds in full; the list of slots is always complete."""
_RANK = {Severity.INFO.value: 0, Severity.WARNING.value: 1, Severity.ALARM.value: 2}


@dataclass(slots=True)
class Draft:
    """A finding as a day's results have it; the store knows whether it is new."""

    kind: str
    meter: int
    severity: str
    starts: list[int] = field(default_factory=list)
    details: list[dict[str, object]] = field(default_factory=list)
    more: dict[str, object] = field(default_factory=dict)

    def evidence(self, context: Context) -> dict[str, object]:
        """Return the evidence as JSON takes it, times in the station's zone."""
        zone = ZoneInfo(context.station.timezone)
        starts = sorted(set(self.starts))
        return {
            "slots": [local_time(start, zone) for start in starts],
            "count": len(self.details) + sum(int(str(detail.get("further", 0))) for detail in self.details),
            "details": [_readable(detail, context, zone) for detail in self.details[:SHOWN_DETAILS]],
        } | self.more


def local_time(time_ms: int, zone: ZoneInfo) -> str:
    """Return an instant as ISO 8601 with its offset."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone).isoformat(timespec="seconds")


def _readable(detail: Mapping[str, object], context: Context, zone: ZoneInfo) -> dict[str, object]:
    result = dict(detail)
    start = result.pop("start_ms", None)
    if isinstance(start, int):
        result = {"start": local_time(start, zone)} | result
    active = result.get("active")
    if isinstance(active, list):
        result["active"] = [context.name(number) for number in active]
    return result


def energies(results: Mapping[int, SlotResult], context: Context) -> list[SlotEnergy]:
    """Return the energies of the slots in which every meter of the balance reported.

    A slot that was checked when other meters were registered, or other ones as inverted, is left out, and one in which
    no charger or no grid-side meter was in service.
    """
    kept = []
    for start, result in sorted(results.items()):
        if result["energy"] is None:
            continue
        then = context.at(start)
        weighed = then.balanced()
        energy = {int(number): (pair[0], pair[1]) for number, pair in result["energy"].items()}
        turned = [number for number, meter in weighed.items() if meter.inverted]
        alike = energy.keys() == weighed.keys() and result.get("inverted", []) == turned
        if alike and then.numbers(Role.CHARGER) and then.numbers(Role.GRID):
            kept.append(SlotEnergy(start, energy, result.get("duration_ms", SLOT_MS)))
    return kept


def whole(results: Mapping[int, SlotResult], context: Context) -> list[SlotEnergy]:
    """Return the energies of a day's balance: of its complete slots, those between readings of all meters."""
    measured = {start for start, result in results.items() if result["balanced"]}
    return tolerance.anchored(energies(results, context), measured)


def carbons(results: Mapping[int, SlotResult], slots: Iterable[SlotEnergy]) -> list[tuple[SlotEnergy, SlotCarbon]]:
    """Return those of the slots of which carbon can be balanced, with their carbon."""
    return [(slot, carbon) for slot in slots if (carbon := results[slot.start_ms].get("carbon")) is not None]


def day_balance(results: Mapping[int, SlotResult], context: Context, settings: Checks) -> Balance | None:
    """Return the balance of a day's complete slots, None where there is none."""
    return balance(context, whole(results, context), settings.coverage_factor)


def findings(results: Mapping[int, SlotResult], context: Context, settings: Checks, *, over: bool) -> list[Draft]:
    """Return the findings of a day; its balance and its chargers are judged once the day is `over`."""
    drafts: dict[tuple[str, int], Draft] = {}
    judged = _again(results, context, settings)
    for start, result in sorted(results.items()):
        for item in result["violations"]:
            detail = item["detail"]
            if item["kind"] == Kind.BALANCE_SLOT and (known := judged.get(start)) is not None:
                if known.within:
                    continue
                detail = detail | known.evidence()
            draft = drafts.setdefault((item["kind"], item["meter"]), Draft(item["kind"], item["meter"], "info"))
            draft.starts.append(start)
            draft.details.append(detail)
            draft.severity = max(draft.severity, item["severity"], key=lambda name: _RANK[name])
    balanced = energies({start: result for start, result in results.items() if result["balanced"]}, context)
    beyond = drafts.get((Kind.BALANCE_SLOT.value, STATION))
    if beyond is not None:
        if _persistent(beyond, settings):
            named = suspects(context, balanced, settings.coverage_factor, settings.minimum_slots)
            beyond.more = {"balanced_slots": len(balanced), "suspects": list(named.values())}
        else:
            del drafts[beyond.kind, STATION]
    of_carbon = drafts.get((Kind.CARBON_BALANCE_SLOT.value, STATION))
    if of_carbon is not None and not _persistent(of_carbon, settings, unit="ug"):
        del drafts[of_carbon.kind, STATION]
    if over:
        for draft in _judge_day(results, balanced, context, settings):
            drafts[draft.kind, draft.meter] = draft
    return list(drafts.values())


def _again(results: Mapping[int, SlotResult], context: Context, settings: Checks) -> dict[int, Balance]:
    """Return the balances of slots beyond tolerance by themselves, with what clocks leave open at their edges.

    A slot is checked when nobody knows yet what comes after it: a charge that began right at its end is within it for a
    grid side whose clock is ahead.
    """
    beyond = {
        start
        for start, result in results.items()
        if any(item["kind"] == Kind.BALANCE_SLOT for item in result["violations"])
    }
    if not beyond:
        return {}
    slots = [slot for slot in tolerance.beside(context, energies(results, context)) if slot.start_ms in beyond]
    judged = {slot.start_ms: balance(context.at(slot.start_ms), [slot], settings.coverage_factor) for slot in slots}
    return {start: found for start, found in judged.items() if found is not None}


def _judge_day(
    results: Mapping[int, SlotResult], balanced: Sequence[SlotEnergy], context: Context, settings: Checks
) -> Iterator[Draft]:
    slots = whole(results, context)
    starts = [slot.start_ms for slot in slots]
    total = balance(context, slots, settings.coverage_factor)
    if total is not None and not total.within:
        yield Draft(Kind.BALANCE_DAY.value, STATION, Severity.ALARM.value, starts, [total.evidence()])
    tally = carbon_balance.of(context, carbons(results, slots))
    carbon = carbon_balance.judge(context, tally, settings.coverage_factor)
    if carbon is not None and not carbon.within and not carbon.by_energy:
        yield Draft(Kind.CARBON_BALANCE_DAY.value, STATION, Severity.ALARM.value, starts, [carbon.evidence()])
    for number, suspect in suspects(context, balanced, settings.coverage_factor, settings.minimum_slots).items():
        starts = [slot.start_ms for slot in balanced if any(slot.of(number))]
        yield Draft(Kind.CHARGER_ERROR.value, number, Severity.WARNING.value, starts, [dict(suspect)])


def _persistent(draft: Draft, settings: Checks, unit: str = "mwh") -> bool:
    """Tell a cause from chance: many slots beyond tolerance, or one far beyond."""
    if len(draft.starts) >= settings.minimum_slots:
        return True
    return any(
        abs(int(str(detail[f"imbalance_{unit}"]))) > settings.gross_ratio * int(str(detail[f"tolerance_{unit}"]))
        for detail in draft.details
    )
