"""Late and corrected factors: what they change of intervals that are already in the journal.

An interval record is never rewritten. For each one whose slot now has another factor than was used, an adjustment
record states the difference, and the meter's exact adjustment register (kept beside it) carries the remainder.
"""

import sqlite3
from collections.abc import Collection, Sequence

from agent.journal_schema import KIND_ADJUSTMENT, KIND_INTERVAL
from diantan_core import AdjustmentRegister
from wire.records import AdjustmentRecord, IntervalRecord, Record
from wire.row import RecordError, from_body


def adjustments(
    connection: sqlite3.Connection,
    slots: Sequence[tuple[int, int | None]],
    slot_ms: int,
    solve_id: bytes,
    own_factor: Collection[str] = (),
) -> list[AdjustmentRecord]:
    """Return the adjustments that these factors (slot start, mg/kWh) bring; update the meters' registers of them.

    Runs inside the transaction that also stores the factors and the returned records. A repeated call with the same
    factors returns nothing. The records of meters with a factor of their own (`own_factor`) stay as they are.
    RecordError for a damaged record.
    """
    found: list[AdjustmentRecord] = []
    registers: dict[str, AdjustmentRegister] = {}
    for start_ms, factor in slots:
        rows = connection.execute(
            "SELECT sequence, body FROM records WHERE start_ms >= ? AND start_ms < ? AND kind = ? ORDER BY sequence",
            (start_ms, start_ms + slot_ms, KIND_INTERVAL),
        ).fetchall()
        if not rows:
            continue
        known = _adjusted_factors(connection, start_ms, slot_ms)
        for sequence, body in rows:
            interval = _decoded(sequence, body)
            assert isinstance(interval, IntervalRecord)
            if interval.meter in own_factor:
                continue
            used = known.get((interval.meter, interval.start_ms, interval.duration_ms), interval.factor)
            if used == factor:
                continue
            if interval.meter not in registers:
                registers[interval.meter] = _register(connection, interval.meter)
            change = registers[interval.meter].apply(interval.forward_mwh, interval.reverse_mwh, used, factor)
            found.append(
                AdjustmentRecord(
                    interval.meter,
                    interval.start_ms,
                    interval.duration_ms,
                    interval.forward_mwh,
                    interval.reverse_mwh,
                    used,
                    factor,
                    *change,
                    solve_id,
                )
            )
    for meter, register in registers.items():
        connection.execute(
            "INSERT INTO meters (meter, adjusted_forward_ng, adjusted_reverse_ng) VALUES (?, ?, ?)"
            " ON CONFLICT (meter) DO UPDATE SET adjusted_forward_ng = excluded.adjusted_forward_ng,"
            " adjusted_reverse_ng = excluded.adjusted_reverse_ng",
            (meter, str(register.forward_ng), str(register.reverse_ng)),
        )
    return found


def _adjusted_factors(
    connection: sqlite3.Connection, start_ms: int, slot_ms: int
) -> dict[tuple[str, int, int], int | None]:
    """Return the factor that the last adjustment of each interval of a slot left, by meter, start and duration."""
    factors: dict[tuple[str, int, int], int | None] = {}
    for sequence, body in connection.execute(
        "SELECT sequence, body FROM records WHERE start_ms >= ? AND start_ms < ? AND kind = ? ORDER BY sequence",
        (start_ms, start_ms + slot_ms, KIND_ADJUSTMENT),
    ):
        record = _decoded(sequence, body)
        assert isinstance(record, AdjustmentRecord)
        factors[record.meter, record.start_ms, record.duration_ms] = record.factor_now
    return factors


def _decoded(sequence: int, body: bytes) -> Record:
    try:
        return from_body(body)
    except RecordError as error:
        raise RecordError(f"record {sequence}: {error}") from error


def _register(connection: sqlite3.Connection, meter: str) -> AdjustmentRegister:
    row = connection.execute(
        "SELECT adjusted_forward_ng, adjusted_reverse_ng FROM meters WHERE meter = ?", (meter,)
    ).fetchone()
    return AdjustmentRegister(int(row[0]), int(row[1])) if row else AdjustmentRegister()
