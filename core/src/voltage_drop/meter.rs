//! What comes in: voltages and power of each meter by quarter, and the local days.

use std::ops::Range;

use super::error::{DropError, Meter};
use crate::estimation::MAX_CHARGERS;

/// Most quarters: more than a year.
pub const MAX_QUARTERS: usize = 40_000;
/// Most quarters times chargers: 512 chargers over three months.
pub const MAX_CELLS: usize = 5_000_000;
/// A local day with fewer quarters says next to nothing beside its own gains.
const LEAST_OF_DAY: usize = 8;

pub(super) const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Means of one meter by quarter; NaN where nothing is known.
#[derive(Debug, Clone, PartialEq)]
pub struct DropMeter {
    pub(super) voltages: Vec<Vec<f64>>,
    pub(super) power_kw: Vec<f64>,
}

impl DropMeter {
    /// One voltage, or those of the phases a, b and c, in V or any other unit, and the power in kW, forward positive.
    ///
    /// # Errors
    /// For another number of voltages, columns that are not equally long, and more than [`MAX_QUARTERS`].
    pub fn new(voltages: Vec<Vec<f64>>, power_kw: Vec<f64>) -> Result<Self, DropError> {
        if voltages.len() != 1 && voltages.len() != 3 {
            return Err(DropError::Voltages(voltages.len()));
        }
        if power_kw.len() > MAX_QUARTERS {
            return Err(DropError::TooMany {
                name: "quarters",
                count: power_kw.len(),
                limit: MAX_QUARTERS,
            });
        }
        for (column, values) in voltages.iter().enumerate() {
            if values.len() != power_kw.len() {
                return Err(DropError::Uneven {
                    column,
                    expected: power_kw.len(),
                    got: values.len(),
                });
            }
        }
        Ok(Self { voltages, power_kw })
    }

    /// Number of quarters.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.power_kw.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.power_kw.is_empty()
    }
}

/// Whether all of it fits together.
pub(super) fn check(
    times_ms: &[i64],
    chargers: &[&DropMeter],
    master: Option<&DropMeter>,
    utc_offset_minutes: i32,
) -> Result<(), DropError> {
    let counts = [
        ("chargers", chargers.len(), MAX_CHARGERS),
        ("quarters", times_ms.len(), MAX_QUARTERS),
        (
            "quarters of chargers",
            times_ms.len().saturating_mul(chargers.len()),
            MAX_CELLS,
        ),
    ];
    for (name, count, limit) in counts {
        if count > limit {
            return Err(DropError::TooMany { name, count, limit });
        }
    }
    if utc_offset_minutes.unsigned_abs() > 1440 {
        return Err(DropError::Offset(utc_offset_minutes));
    }
    let numbered = chargers.iter().enumerate();
    let all = numbered.map(|(number, meter)| (Meter::Charger(number), *meter));
    for (meter, own) in all.chain(master.map(|meter| (Meter::Master, meter))) {
        if own.len() != times_ms.len() {
            return Err(DropError::Length {
                meter,
                expected: times_ms.len(),
                got: own.len(),
            });
        }
    }
    for (row, pair) in times_ms.windows(2).enumerate() {
        if let [before_ms, ms] = *pair
            && ms <= before_ms
        {
            return Err(DropError::Order {
                row: row + 1,
                before_ms,
                ms,
            });
        }
    }
    Ok(())
}

/// Local time, ms.
pub(super) fn local(ms: i64, utc_offset_minutes: i32) -> i64 {
    ms.saturating_add(i64::from(utc_offset_minutes) * MINUTE_MS)
}

/// Quarters of each local day that has enough of them, and in which sixth of the day each quarter lies.
pub(super) fn days(times_ms: &[i64], utc_offset_minutes: i32) -> (Vec<Range<usize>>, Vec<u8>) {
    let mut days: Vec<Range<usize>> = Vec::new();
    let mut blocks = Vec::with_capacity(times_ms.len());
    let mut current = None;
    for (row, time) in times_ms.iter().enumerate() {
        let local = local(*time, utc_offset_minutes);
        let day = local.div_euclid(DAY_MS);
        let block = local.rem_euclid(DAY_MS) / (DAY_MS / BLOCKS);
        blocks.push(u8::try_from(block).unwrap_or(0));
        match days.last_mut() {
            Some(last) if current == Some(day) => last.end = row + 1,
            _ => days.push(row..row + 1),
        }
        current = Some(day);
    }
    days.retain(|day| day.len() >= LEAST_OF_DAY);
    (days, blocks)
}

/// Blocks of a day, each of four hours.
pub(super) const BLOCKS: i64 = 6;
