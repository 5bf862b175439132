"""Holding the device's registers and rows against what must be in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from firmware_sim.inspection.bench import Bench, DutError, DutRefusedError
from firmware_sim.inspection.functions.checks import Checks
from firmware_sim.inspection.functions.journey import REGISTERS, Journey, step_of
from firmware_sim.inspection.functions.truth import WAYS, Flowed
from firmware_sim.inspection.metering.judging import text
from firmware_sim.inspection.parts.dut import LineDut

UNITS: Final = {"energy": "mWh", "carbon": "ng"}


@dataclass(frozen=True, slots=True)
class Expected:
    """A quantity and how far what is found must be from it at least to be wrong."""

    value: Fraction
    tolerance: Fraction

    def fits(self, found: int | None) -> bool:
        """Return whether what was found is near enough."""
        return found is not None and abs(found - self.value) < self.tolerance


async def expected(
    journey: Journey, name: str, first: Fraction, last: Fraction, *, vague_ms: Fraction = Fraction(0)
) -> Expected:
    """Return what a register must have gained between two instants, of which `vague_ms` in all is not known."""
    return await of_flow(journey, name, await journey.flowed(first, last), vague_ms)


async def of_flow(journey: Journey, name: str, flow: Flowed, vague_ms: Fraction) -> Expected:
    """Return what a register must have gained when this has flowed."""
    quantity, _, way = name.partition("_")
    scale = await journey.scale(way)
    step = step_of(journey.bench, name) or 1
    energy_step = step_of(journey.bench, f"energy_{way}") or 1
    fuzzy_mwh = (vague_ms + journey.slack_ms) * journey.peak + flow.uncertainty_mwh + scale.vague_mwh
    # A factor begins to hold at an instant that is known no better than the clock.
    edge_mwh = journey.vague_ms * journey.peak
    if quantity == "energy":
        return Expected(flow.energy[way] * scale.factor, step + fuzzy_mwh)
    if not (scale.exact and flow.aligned(way, energy_step)):
        # Part of a step of energy is counted with the next factor, and at the end not yet.
        fuzzy_mwh += energy_step
        edge_mwh += energy_step
    return Expected(flow.carbon[way] * scale.factor, step + fuzzy_mwh * flow.largest + edge_mwh * flow.swing)


async def registers(journey: Journey, checks: Checks, what: str) -> None:
    """Read the registers and hold what they gained since the item began against the truth."""
    await journey.look_at_clock()
    first, last = journey.first, await journey.look()
    flow = await journey.flowed(first.middle, last.middle)
    for name in last.values:
        found = journey.gained(name)
        wanted = await of_flow(journey, name, flow, first.vague_ms + last.vague_ms)
        checks.near(f"{what}: {name} gained", UNITS[name.partition("_")[0]], wanted.value, found, wanted.tolerance)
    await scales(journey, checks, what)
    for way in WAYS:
        await journey.keep_scale(way)


async def scales(journey: Journey, checks: Checks, what: str) -> None:
    """Where the energy registers are not just what the standard measured, hold their error against the limit."""
    bench = journey.bench
    for way in WAYS:
        if step_of(bench, f"energy_{way}") is None:
            continue
        scale = await journey.scale(way)
        if scale.exact:
            continue
        limit = max((bench.limits.energy_percent(bench.rating, point) for point in journey.points), default=Fraction(0))
        vague = 2 * (
            bench.dut.resolution(f"energy_{way}") + (journey.first.vague_ms + journey.last.vague_ms) * journey.peak
        )
        good = abs(scale.found - scale.expected) < vague + limit * scale.expected / 100
        error = "no error can be told" if scale.error_percent is None else f"{text(scale.error_percent, 4)} %"
        checks.that(
            f"{what}: energy_{way} beside the standard",
            f"{text(scale.expected, 3)} mWh within {text(limit, 2)} %",
            f"{scale.found} mWh, {error}",
            good=good,
        )
        checks.note("carbon is judged by the device's own energy, whose error belongs to clause 5.6")


async def frozen(journey: Journey, table: str, number: int, midnight_ms: int) -> list[str]:
    """Return what is wrong with a row of freezes that must be of a local midnight since the item began; [] if nothing.

    Where the profile says no time, the registers alone tell.
    """
    row = await read_row(journey.bench, table, number)
    if not row:
        return ["empty"]
    wrong = []
    if row.get("time", midnight_ms) != midnight_ms:
        wrong.append(f"time {row['time']} instead of {midnight_ms} ms")
    first = journey.first
    flow = await journey.flowed(first.middle, journey.passed(midnight_ms))
    columns = columns_of(journey.bench, table, row)
    wrong += [f"no {name}" for name in sorted(columns - set(row))]
    for name in (name for name in REGISTERS if name in first.values and name in row):
        wanted = await of_flow(journey, name, flow, first.vague_ms + journey.vague_ms)
        found = journey.since_first(name, row[name])
        if not wanted.fits(found):
            wrong.append(
                f"{name} gained {found} instead of {text(wanted.value, 0)} {UNITS[name.partition('_')[0]]} "
                f"(within {text(wanted.tolerance, 0)})"
            )
    if not any(name in row for name in REGISTERS):
        wrong.append("the row has none of the registers")
    return wrong


def columns_of(bench: Bench, table: str, row: Mapping[str, int]) -> set[str]:
    """Return the columns that a row must have: those of the profile, where it is known."""
    if isinstance(bench.dut, LineDut):
        return {column.name for column in getattr(bench.dut.profile.tables[table], "columns", ())}
    return set(row)


async def read_row(bench: Bench, table: str, number: int) -> Mapping[str, int]:
    """Read a row, empty when the device refuses it, as some do with rows that they have not filled yet.

    DutError where the profile has fewer rows.
    """
    try:
        return await bench.dut.row(table, number)
    except DutRefusedError:
        return {}
    except IndexError as error:
        raise DutError(f"expected {table} to have a row {number}: {error}") from error


async def row_step(journey: Journey, checks: Checks, what: str, row: tuple[str, int], midnight_ms: int) -> None:
    """Read a row (table and number) of freezes and note whether it is that of a local midnight."""
    await journey.look_at_clock()
    await journey.look()
    wrong = await frozen(journey, *row, midnight_ms)
    checks.that(what, f"the registers at {midnight_ms} ms", "; ".join(wrong) or "as expected", good=not wrong)
