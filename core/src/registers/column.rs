//! Registers of a station's meters on one grid of times, and the windows between these.

use std::ops::Range;

use super::SLOT_MS;
use super::history::History;
use crate::estimation::limits::length;
use crate::estimation::{EstimationError, Windows};

/// A whole number up to here is a float as it is.
const EXACT: u128 = 1 << f64::MANTISSA_DIGITS;
const MWH_PER_KWH: u128 = 1_000_000;

/// A meter's net register in mWh at instants one slot apart, None where it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    begin_ms: i64,
    net_mwh: Vec<Option<i128>>,
}

impl Column {
    /// From values, the first of them at `begin_ms`.
    #[must_use]
    pub const fn new(begin_ms: i64, net_mwh: Vec<Option<i128>>) -> Self {
        Self { begin_ms, net_mwh }
    }

    pub(super) fn of(history: &History, begin_ms: i64, count: usize, every: usize) -> Self {
        let mut cells = vec![None; count];
        let Some(most) = count.checked_sub(1) else {
            return Self::new(begin_ms, cells);
        };
        let slots = |time_ms: i64| time_ms.saturating_sub(begin_ms).div_euclid(SLOT_MS);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let step = i64::try_from(every).unwrap_or(i64::MAX);
        let final_ms = begin_ms.saturating_add(most.saturating_mul(SLOT_MS));
        let known = history.between(begin_ms, final_ms);
        for (place, one) in known.iter().enumerate() {
            let mut last_ms = one.time_ms;
            if let Some(after) = known.get(place + 1)
                && after.time_ms.saturating_sub(last_ms) > SLOT_MS
                && one.still(after)
            {
                last_ms = after.time_ms;
            }
            if last_ms < begin_ms {
                continue;
            }
            let (first, end) = (slots(one.time_ms), slots(last_ms).min(most));
            let from = if first < 0 {
                first.rem_euclid(step)
            } else {
                first
            };
            let (Ok(from), Ok(end)) = (usize::try_from(from), usize::try_from(end)) else {
                continue;
            };
            if let Some(stood) = cells.get_mut(from..=end) {
                for cell in stood.iter_mut().step_by(every) {
                    *cell = Some(one.net_mwh());
                }
            }
        }
        Self::new(begin_ms, cells)
    }

    /// When the first instant is, ms.
    #[must_use]
    pub const fn begin_ms(&self) -> i64 {
        self.begin_ms
    }

    /// The registers, mWh.
    #[must_use]
    pub fn net_mwh(&self) -> &[Option<i128>] {
        &self.net_mwh
    }

    /// Whether it is known at any instant.
    #[must_use]
    pub fn any(&self) -> bool {
        self.net_mwh.iter().any(Option::is_some)
    }
}

/// Windows of a station between the instants at `places`, from its meters' columns.
///
/// `chargers`: None for one that is not in service. `others`: those of which the master's energy is made up, and
/// whether each counts against it. A window lies between two instants at which all of them are known. Where a charger
/// in service is never known there are none: it may have sold anything. The master's sum is exact.
///
/// # Errors
/// For columns that are not of one grid, and whatever [`Windows::from_registers`] refuses.
pub fn windows(
    chargers: &[Option<&Column>],
    others: &[(&Column, bool)],
    places: Range<usize>,
) -> Result<Windows, EstimationError> {
    let mut grid = chargers
        .iter()
        .flatten()
        .chain(others.iter().map(|one| &one.0));
    let Some(first) = grid.next() else {
        return Ok(Windows::empty(chargers.len()));
    };
    for column in grid {
        length("columns", first.net_mwh.len(), column.net_mwh.len())?;
        if column.begin_ms != first.begin_ms {
            return Err(EstimationError::Order {
                name: "column",
                row: 0,
                before_ms: first.begin_ms,
                ms: column.begin_ms,
            });
        }
    }
    length(
        "places",
        first.net_mwh.len(),
        places.end.max(first.net_mwh.len()),
    )?;
    let count = places.len();
    let mut registers = Vec::with_capacity(chargers.len());
    let mut silent = false;
    for charger in chargers {
        let cells = charger.map_or(&[][..], |column| part(column, &places));
        silent |= charger.is_some() && cells.iter().all(Option::is_none);
        registers.push(if charger.is_some() {
            cells
                .iter()
                .map(|cell| cell.map_or(f64::NAN, kwh))
                .collect()
        } else {
            vec![f64::NAN; count]
        });
    }
    let mut master: Vec<Option<i128>> = vec![Some(0); count];
    for (column, against) in others {
        for (total, cell) in master.iter_mut().zip(part(column, &places)) {
            *total = total
                .zip(*cell)
                .map(|(total, net)| if *against { total - net } else { total + net });
        }
    }
    if silent || master.iter().all(Option::is_none) {
        return Ok(Windows::empty(chargers.len()));
    }
    let times: Vec<i64> = places
        .filter_map(|place| i64::try_from(place).ok())
        .map(|place| first.begin_ms.saturating_add(place.saturating_mul(SLOT_MS)))
        .collect();
    let master: Vec<f64> = master
        .iter()
        .map(|cell| cell.map_or(f64::NAN, kwh))
        .collect();
    let lent: Vec<&[f64]> = registers.iter().map(Vec::as_slice).collect();
    Windows::from_registers(&times, &master, &lent)
}

fn part<'a>(column: &'a Column, places: &Range<usize>) -> &'a [Option<i128>] {
    column.net_mwh.get(places.clone()).unwrap_or(&[])
}

/// The float nearest to an energy in kWh, of less than 2¹⁰⁸ mWh as all sums of a station are.
#[must_use]
#[allow(
    clippy::cast_precision_loss,
    reason = "exact up to 2⁵³; beyond, the one rounding that is meant"
)]
pub fn kwh(mwh: i128) -> f64 {
    let size = mwh.unsigned_abs();
    let nearest = if size <= EXACT {
        size as f64 / MWH_PER_KWH as f64
    } else {
        // Rounded once: the quotient keeps so many bits more than a float that what is cut off decides nothing.
        let shift = size.leading_zeros();
        ((size << shift) / MWH_PER_KWH) as f64 / (1_u128 << shift) as f64
    };
    if mwh < 0 { -nearest } else { nearest }
}
