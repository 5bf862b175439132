"""Registers of what was imported from a file: its sums say nothing of a gap."""

from collections.abc import Sequence

import pytest
from estimation_support import DAY, LENGTH, Site, replace_row, rows_of
from receiver_support import SLOT_MS
from sqlalchemy import insert

from cloud_receiver import database
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.run import estimate
from cloud_receiver.schema import event
from wire.records import EventCode, Quality

MIDDLE = DAY + 5 * LENGTH
GAP = range(MIDDLE, MIDDLE + 40 * SLOT_MS)


def entered(rows: Sequence[IntervalRow], number: int) -> list[IntervalRow]:
    """Return rows without the gap, as an import of energies has them: sums go on as if nothing had been counted."""
    lost = sum(row.forward_mwh for row in rows if row.meter == number and row.start_ms in GAP)
    return [
        replace_row(row, forward_total_mwh=row.forward_total_mwh - (lost if row.start_ms >= GAP.stop else 0))
        if row.meter == number
        else row
        for row in rows
        if row.meter != number or row.start_ms not in GAP
    ]


def test_no_window_reaches_across_a_gap_of_imported_energies(site: Site) -> None:
    numbers = site.numbers()
    site.store(entered(rows_of(numbers, 10), numbers[-1]))
    with database.writing(site.engine) as connection:
        connection.execute(
            insert(event).values(
                station=site.context().number,
                time_ms=DAY + 20 * LENGTH,
                meter=numbers[-1],
                journal=1,
                sequence=900_000_000,
                code=int(EventCode.IMPORTED),
                details="{}",
            )
        )
    found = estimate(site.engine, site.context(), Estimation(), DAY, DAY + 10 * LENGTH).result
    assert (found.windows, found.breaks) == (10 * 96 - 40, 1)
    assert [one.decision for one in found.chargers] == ["clear", "flag", "clear"]
    assert max(abs(kwh) for _, kwh in found.residuals) < 1


@pytest.mark.parametrize(("imported", "known"), [((), []), ((7,), [3, 6])])
def test_an_imported_hour_that_was_divided_is_known_at_its_end(imported: tuple[int, ...], known: list[int]) -> None:
    registers = Registers(imported)
    qualities = [*[Quality.ESTIMATED] * 2, Quality.INTERPOLATED] * 2
    whole = [row for row in rows_of([7], 1, errors=[0.0]) if row.meter == 7]
    registers.add([replace_row(row, quality=int(quality)) for row, quality in zip(whole, qualities, strict=False)])
    assert [(item.time_ms - DAY) // SLOT_MS for item in registers.of(7).known] == known
