//! Interval records: what a reader expects of a row from the rows before is not sent, only what differs from it.

use super::column::{integers, limited, nullable_differences};
use super::group::{Sequences, fault};
use super::{AMOUNT, ANY, DURATION, FACTOR, INCREMENT, Interval, MAX_AMOUNT, TIME};
use crate::cbor::{Reader, Result};

const UNDEFINED: i64 = 3;
const READINGS: (i64, i64) = (0, u32::MAX as i64);

/// A meter's state after the rows so far.
#[derive(Clone, Copy)]
struct Known {
    end_ms: i64,
    totals: [i64; 4],
}

struct Columns {
    starts: Vec<i64>,
    durations: Vec<i64>,
    energies: [Vec<i64>; 2],
    before: [Vec<i64>; 4],
    corrections: [Vec<i64>; 4],
    factors: Vec<Option<i64>>,
    factor_qualities: Vec<i64>,
    carbon: [Vec<i64>; 2],
    readings: Vec<i64>,
    qualities: Vec<i64>,
}

pub(super) fn read(reader: &mut Reader<'_>, sequences: &mut Sequences) -> Result<Vec<Interval>> {
    let mut fields = reader.map()?;
    let head = sequences.head(&mut fields, reader)?;
    let meters = head.required_meters()?;
    let (first_rows, distinct) = first_rows(&meters);
    fields.require(reader, 3, "start of the first interval (key 3)")?;
    let base = reader.integer("start of the first interval", TIME.0, TIME.1)?;

    let rows = head.rows;
    let r = reader;
    let f = &mut fields;
    let columns = Columns {
        starts: integers(f, r, 4, rows, "difference of the start", ANY)?,
        durations: integers(f, r, 5, rows, "duration (key 5)", DURATION)?,
        energies: [
            integers(f, r, 6, rows, "energy forward", INCREMENT)?,
            integers(f, r, 7, rows, "energy reverse", INCREMENT)?,
        ],
        before: [
            integers(f, r, 8, distinct, "cumulative energy forward before", ANY)?,
            integers(f, r, 9, distinct, "cumulative energy reverse before", ANY)?,
            integers(f, r, 10, distinct, "cumulative carbon forward before", ANY)?,
            integers(f, r, 11, distinct, "cumulative carbon reverse before", ANY)?,
        ],
        corrections: [
            integers(
                f,
                r,
                12,
                rows,
                "difference of the cumulative energy forward",
                ANY,
            )?,
            integers(
                f,
                r,
                13,
                rows,
                "difference of the cumulative energy reverse",
                ANY,
            )?,
            integers(
                f,
                r,
                14,
                rows,
                "difference of the cumulative carbon forward",
                ANY,
            )?,
            integers(
                f,
                r,
                15,
                rows,
                "difference of the cumulative carbon reverse",
                ANY,
            )?,
        ],
        factors: nullable_differences(f, r, 16, rows, "factor", FACTOR)?,
        factor_qualities: integers(f, r, 17, rows, "factor quality", (0, UNDEFINED))?,
        carbon: [
            integers(f, r, 18, rows, "difference of the carbon forward", ANY)?,
            integers(f, r, 19, rows, "difference of the carbon reverse", ANY)?,
        ],
        readings: integers(f, r, 20, rows, "number of readings", READINGS)?,
        qualities: integers(f, r, 21, rows, "quality", (0, 3))?,
    };
    fields.finish(r)?;

    let mut known: Vec<Known> = Vec::with_capacity(distinct);
    let mut intervals = Vec::with_capacity(rows);
    for (row, ((sequence, meter), place)) in head
        .sequences
        .iter()
        .zip(&meters)
        .zip(&first_rows)
        .enumerate()
    {
        if *place == known.len() {
            known.push(Known {
                end_ms: base,
                totals: columns
                    .before
                    .each_ref()
                    .map(|column| value(column, *place)),
            });
        }
        let Some(state) = known.get_mut(*place) else {
            return Err(fault(head.offset, "a meter's first interval is missing"));
        };
        intervals.push(restore(
            &columns,
            row,
            *sequence,
            *meter,
            state,
            head.offset,
        )?);
    }
    Ok(intervals)
}

/// For each row the place of its meter among those of the group, in the order in which they first appear.
fn first_rows(meters: &[usize]) -> (Vec<usize>, usize) {
    let mut places: Vec<Option<usize>> =
        vec![None; meters.iter().max().map_or(0, |highest| highest + 1)];
    let mut distinct = 0;
    let rows = meters
        .iter()
        .map(|meter| {
            let Some(place) = places.get_mut(*meter) else {
                return 0;
            };
            *place.get_or_insert_with(|| {
                distinct += 1;
                distinct - 1
            })
        })
        .collect();
    (rows, distinct)
}

fn restore(
    columns: &Columns,
    row: usize,
    sequence: i64,
    meter: usize,
    state: &mut Known,
    offset: usize,
) -> Result<Interval> {
    let start_ms = within(
        offset,
        "start",
        TIME,
        state.end_ms,
        [value(&columns.starts, row), 0],
    )?;
    let duration_ms = value(&columns.durations, row);
    let factor = columns.factors.get(row).copied().flatten();
    let factor_quality = value(&columns.factor_qualities, row);
    if factor.is_none() != (factor_quality == UNDEFINED) {
        return Err(fault(
            offset,
            "a factor is null exactly when its quality is 3 (undefined)",
        ));
    }
    let [forward_mwh, reverse_mwh] = [
        value(&columns.energies[0], row),
        value(&columns.energies[1], row),
    ];
    let carbon_forward_ug = within(
        offset,
        "carbon forward",
        AMOUNT,
        carbon_of(forward_mwh, factor),
        [value(&columns.carbon[0], row), 0],
    )?;
    let carbon_reverse_ug = within(
        offset,
        "carbon reverse",
        AMOUNT,
        carbon_of(reverse_mwh, factor),
        [value(&columns.carbon[1], row), 0],
    )?;
    let amounts = [
        forward_mwh,
        reverse_mwh,
        carbon_forward_ug,
        carbon_reverse_ug,
    ];
    let names = [
        "cumulative energy forward",
        "cumulative energy reverse",
        "cumulative carbon forward",
        "cumulative carbon reverse",
    ];
    let mut totals = [0; 4];
    for ((((total, name), amount), correction), before) in totals
        .iter_mut()
        .zip(names)
        .zip(amounts)
        .zip(&columns.corrections)
        .zip(state.totals)
    {
        *total = within(
            offset,
            name,
            AMOUNT,
            before,
            [amount, value(correction, row)],
        )?;
    }
    // Both are at most 2^53.
    *state = Known {
        end_ms: start_ms + duration_ms,
        totals,
    };
    let [
        forward_total_mwh,
        reverse_total_mwh,
        carbon_forward_total_ug,
        carbon_reverse_total_ug,
    ] = totals;
    Ok(Interval {
        sequence,
        meter,
        start_ms,
        duration_ms,
        forward_mwh,
        reverse_mwh,
        forward_total_mwh,
        reverse_total_mwh,
        factor,
        factor_quality,
        carbon_forward_ug,
        carbon_reverse_ug,
        carbon_forward_total_ug,
        carbon_reverse_total_ug,
        readings: value(&columns.readings, row),
        quality: value(&columns.qualities, row),
    })
}

/// What a reader expects of an energy: floor(mWh × mg/kWh / 1000) µg, at most the greatest amount.
fn carbon_of(energy_mwh: i64, factor: Option<i64>) -> i64 {
    let ug = i128::from(energy_mwh) * i128::from(factor.unwrap_or(0)) / 1000;
    i64::try_from(ug).map_or(MAX_AMOUNT, |ug| ug.min(MAX_AMOUNT))
}

/// A sum of three that must be within limits.
fn within(
    offset: usize,
    what: &'static str,
    limits: (i64, i64),
    base: i64,
    by: [i64; 2],
) -> Result<i64> {
    let sum = by
        .into_iter()
        .fold(i128::from(base), |sum, part| sum + i128::from(part));
    limited(offset, what, sum, limits)
}

/// A column's value; columns have been read with as many values as there are rows.
fn value(column: &[i64], row: usize) -> i64 {
    column.get(row).copied().unwrap_or_default()
}
