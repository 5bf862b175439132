"""Windows from stored intervals: what is known, what becomes longer, what no window reaches across."""

from datetime import UTC, datetime

import pytest
from estimation_support import DAY, LENGTH, Site, replace_row, restarted, rows_of
from receiver_support import SLOT_MS

from cloud_receiver.checks.model import Context, IntervalRow
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.windows import StationWindows, build, chargers_of
from diantan_core import RegisterClocks
from wire.records import ClockState, Quality


def made(context: Context, rows: list[IntervalRow], first_ms: int = DAY, end_ms: int = DAY + LENGTH) -> StationWindows:
    registers = Registers()
    registers.add(rows)
    return build(context, registers, first_ms, end_ms, chargers_of(context, first_ms, end_ms))


def spans(found: StationWindows) -> list[tuple[int, int]]:
    """Return the windows in slots of the day."""
    return [
        ((start - DAY) // SLOT_MS, (end - DAY) // SLOT_MS)
        for start, end in zip(found.windows.starts_ms, found.windows.ends_ms, strict=True)
    ]


def busy(rows: list[IntervalRow], number: int) -> int:
    """Return a slot, not at an edge of the day, in which a meter counts on both sides."""
    counts = {(row.start_ms - DAY) // SLOT_MS: row.forward_mwh for row in rows if row.meter == number}
    return next(slot for slot in range(4, 90) if all(counts[slot + step] for step in (-1, 0, 1)))


def test_every_slot_is_a_window_with_the_energies_of_the_store(site: Site) -> None:
    rows = rows_of(site.numbers(), 1)
    found = made(site.context(), rows)
    assert spans(found) == [(slot, slot + 1) for slot in range(96)]
    assert (found.silent, found.breaks, found.begins, found.end_ms) == ((), 0, True, DAY + LENGTH)
    for slot in range(96):
        energies = [row.forward_mwh / 1e6 for row in rows[slot * 4 : slot * 4 + 4]]
        assert found.windows.energies_kwh(slot) == pytest.approx(energies[:3])
        assert found.windows.master_kwh[slot] == pytest.approx(energies[3])


def test_a_missing_record_makes_its_window_longer(site: Site) -> None:
    numbers = site.numbers()
    rows = rows_of(numbers, 1)
    slot = busy(rows, numbers[1])
    lost = [row for row in rows if row.meter != numbers[1] or not slot <= (row.start_ms - DAY) // SLOT_MS < slot + 3]
    found = made(site.context(), lost)
    # The records at both ends tell the registers at the edges of the hole.
    assert [span for span in spans(found) if span[1] - span[0] > 1] == [(slot, slot + 3)]
    energy = sum(row.forward_mwh for row in rows if row.meter == numbers[1]) / 1e6
    assert sum(found.windows.energies_kwh(row)[1] for row in range(len(found.windows))) == pytest.approx(energy)


def test_a_register_that_stood_still_over_a_gap_is_known(site: Site) -> None:
    numbers = site.numbers()
    rows = [
        replace_row(row, forward_mwh=0, forward_total_mwh=7_000_000) if row.meter == numbers[0] else row
        for row in rows_of(numbers, 1)
        if row.meter != numbers[0] or not 10 <= (row.start_ms - DAY) // SLOT_MS < 40
    ]
    found = made(site.context(), rows)
    assert spans(found) == [(slot, slot + 1) for slot in range(96)]
    assert {found.windows.energies_kwh(row)[0] for row in range(96)} == {0.0}


@pytest.mark.parametrize("quality", [Quality.INTERPOLATED, Quality.ESTIMATED])
def test_a_boundary_that_was_not_measured_is_no_boundary(site: Site, quality: Quality) -> None:
    numbers = site.numbers()
    rows = rows_of(numbers, 1)
    slot = busy(rows, numbers[2])
    doubtful = [
        replace_row(row, quality=int(quality))
        if row.meter == numbers[2] and (row.start_ms - DAY) // SLOT_MS in {slot, slot + 1}
        else row
        for row in rows
    ]
    assert [span for span in spans(made(site.context(), doubtful)) if span[1] - span[0] > 1] == [(slot, slot + 2)]


def test_a_clock_that_has_stepped_makes_no_boundaries(site: Site) -> None:
    numbers = site.numbers()
    rows = rows_of(numbers, 1)
    slot = busy(rows, numbers[0])
    bad = [
        row.sequence for row in rows if row.meter == numbers[0] and (row.start_ms - DAY) // SLOT_MS in {slot, slot - 1}
    ]
    clocks = RegisterClocks()
    clocks.know(1, [(sequence, sequence + 1, int(ClockState.STEPPED)) for sequence in bad])
    registers = Registers()
    registers.add(rows, clocks)
    context = site.context()
    found = build(context, registers, DAY, DAY + LENGTH, chargers_of(context, DAY, DAY + LENGTH))
    assert [span for span in spans(found) if span[1] - span[0] > 1] == [(slot - 1, slot + 1)]
    assert registers.of(numbers[0]).unclear == 2


@pytest.mark.parametrize("place", [0, 3])
def test_no_window_reaches_across_a_register_that_began_anew(site: Site, place: int) -> None:
    numbers = site.numbers()
    rows = restarted(rows_of(numbers, 1), numbers[place], DAY + 50 * SLOT_MS)
    found = made(site.context(), rows)
    assert spans(found) == [(slot, slot + 1) for slot in range(96) if slot != 49]
    assert found.breaks == 1
    assert min(min(found.windows.energies_kwh(row)) for row in range(95)) >= 0


def test_a_partial_interval_ends_what_can_be_compared(site: Site) -> None:
    numbers = site.numbers()
    rows = [
        replace_row(row, quality=int(Quality.PARTIAL))
        if row.meter == numbers[0] and row.start_ms == DAY + 20 * SLOT_MS
        else row
        for row in rows_of(numbers, 1)
    ]
    assert spans(made(site.context(), rows)) == [(slot, slot + 1) for slot in range(96) if slot != 20]


def test_a_new_journal_ends_what_can_be_compared(site: Site) -> None:
    numbers = site.numbers()
    rows = [
        replace_row(row, journal=2) if row.meter == numbers[0] and row.start_ms >= DAY + 30 * SLOT_MS else row
        for row in rows_of(numbers, 1)
    ]
    assert 30 not in {span[1] for span in spans(made(site.context(), rows))}


def test_a_charger_in_service_that_says_nothing_holds_all_up(site: Site) -> None:
    numbers = site.numbers()
    rows = [row for row in rows_of(numbers, 1) if row.meter != numbers[0]]
    found = made(site.context(), rows)
    assert (len(found.windows), found.silent, found.begins) == (0, (numbers[0],), False)


def test_a_charger_out_of_service_has_no_energy(site: Site) -> None:
    numbers = site.numbers()
    noon = datetime.fromtimestamp((DAY + 48 * SLOT_MS) / 1000, UTC)
    first, *others = site.station.meter
    site.enter(site.station.model_copy(update={"meter": (first.model_copy(update={"until": noon}), *others)}))
    rows = [row for row in rows_of(numbers, 1) if row.meter != numbers[0] or row.start_ms < DAY + 48 * SLOT_MS]
    found = made(site.context(), rows)
    assert spans(found) == [(slot, slot + 1) for slot in range(96) if slot != 47]
    assert {found.windows.energies_kwh(row)[0] for row in range(47, 95)} == {0.0}


def test_times_within_a_slot_are_no_boundaries(site: Site) -> None:
    numbers = site.numbers()
    rows = []
    for row in rows_of(numbers, 1):
        half = row.forward_mwh // 2
        rows.append(
            replace_row(
                row,
                duration_ms=SLOT_MS // 3,
                forward_mwh=half,
                forward_total_mwh=row.forward_total_mwh - row.forward_mwh + half,
            )
        )
        rest = {"start_ms": row.start_ms + SLOT_MS // 3, "duration_ms": 2 * SLOT_MS // 3}
        rows.append(replace_row(row, **rest, forward_mwh=row.forward_mwh - half, sequence=row.sequence + 100_000))
    assert spans(made(site.context(), rows)) == [(slot, slot + 1) for slot in range(96)]


def test_no_time_has_no_windows(site: Site) -> None:
    found = made(site.context(), [], DAY + 1, DAY + 2)
    assert (len(found.windows), found.end_ms, found.begins) == (0, None, False)
