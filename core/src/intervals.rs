//! Closed intervals, kept column by column: that is how they leave the core, and nothing is written twice.

use std::mem::MaybeUninit;

use crate::quantity::Factor;
use crate::record::{Interval, Quality};
use crate::schedule::FactorQuality;

/// Number of columns.
pub const COLUMNS: usize = 14;

/// The names of the columns, in their order: the fields of [`Interval`].
pub const COLUMN_NAMES: [&str; COLUMNS] = [
    "start_ms",
    "duration_ms",
    "forward_mwh",
    "reverse_mwh",
    "forward_total_mwh",
    "reverse_total_mwh",
    "factor",
    "factor_quality",
    "carbon_forward_ug",
    "carbon_reverse_ug",
    "carbon_forward_total_ug",
    "carbon_reverse_total_ug",
    "readings",
    "quality",
];

/// The cell of an undefined factor.
pub const UNDEFINED: i64 = -1;

/// What a caller does with the room that was made for a column, before anything is written there.
pub type Room = fn(&mut [MaybeUninit<i64>]);

/// Closed intervals in order of time, as columns of 64-bit integers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intervals {
    columns: [Vec<i64>; COLUMNS],
}

impl Intervals {
    /// Number of intervals.
    #[must_use]
    pub fn len(&self) -> usize {
        let [first, ..] = &self.columns;
        first.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns in the order of [`COLUMN_NAMES`]; an undefined factor is [`UNDEFINED`].
    #[must_use]
    pub fn columns(&self) -> &[Vec<i64>; COLUMNS] {
        &self.columns
    }

    /// Make room for so many more in each column.
    pub(crate) fn reserve(&mut self, more: usize, room: Room) {
        for column in &mut self.columns {
            column.reserve(more);
            room(column.spare_capacity_mut());
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: &Interval) {
        for (column, cell) in self.columns.iter_mut().zip(cells(row)) {
            column.push(cell);
        }
    }

    /// The interval of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Interval> {
        let mut cells = [0; COLUMNS];
        for (cell, column) in cells.iter_mut().zip(&self.columns) {
            *cell = *column.get(row)?;
        }
        Some(interval(cells))
    }

    /// The intervals in order of time.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

impl Extend<Interval> for Intervals {
    fn extend<T: IntoIterator<Item = Interval>>(&mut self, rows: T) {
        rows.into_iter().for_each(|row| self.push(&row));
    }
}

#[inline]
fn cells(row: &Interval) -> [i64; COLUMNS] {
    [
        row.start_ms,
        row.duration_ms,
        row.forward_mwh,
        row.reverse_mwh,
        row.forward_total_mwh,
        row.reverse_total_mwh,
        row.factor
            .map_or(UNDEFINED, |factor| i64::from(factor.mg_per_kwh())),
        i64::from(row.factor_quality as u8),
        row.carbon_forward_ug,
        row.carbon_reverse_ug,
        row.carbon_forward_total_ug,
        row.carbon_reverse_total_ug,
        i64::from(row.readings),
        i64::from(row.quality as u8),
    ]
}

/// The interval whose cells these are; only `push` writes cells, so every code is one of the enumerations'.
fn interval(cells: [i64; COLUMNS]) -> Interval {
    let [
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
        readings,
        quality,
    ] = cells;
    Interval {
        start_ms,
        duration_ms,
        forward_mwh,
        reverse_mwh,
        forward_total_mwh,
        reverse_total_mwh,
        factor: u32::try_from(factor).ok().map(Factor::from_mg_per_kwh),
        factor_quality: match factor_quality {
            0 => FactorQuality::Dispatched,
            1 => FactorQuality::Held,
            2 => FactorQuality::Default,
            _ => FactorQuality::Undefined,
        },
        carbon_forward_ug,
        carbon_reverse_ug,
        carbon_forward_total_ug,
        carbon_reverse_total_ug,
        readings: u32::try_from(readings).unwrap_or(u32::MAX),
        quality: match quality {
            0 => Quality::Measured,
            1 => Quality::Interpolated,
            2 => Quality::Estimated,
            _ => Quality::Partial,
        },
    }
}
