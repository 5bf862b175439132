//! Local midnights.

use diantan_core::calendar::Calendar;
use diantan_core::error::TimeOutOfRange;
use pyo3::prelude::*;

use crate::convert::Whole;
use crate::errors::integration;

fn with(
    timezone: &str,
    compute: impl FnOnce(&Calendar) -> Result<i64, TimeOutOfRange>,
) -> PyResult<i64> {
    Calendar::new(timezone)
        .and_then(|calendar| Ok(compute(&calendar)?))
        .map_err(|error| integration(&error))
}

/// Return the local midnight (freeze instant, 日冻结) at or before the instant.
#[pyfunction]
pub(crate) fn day_start_ms(time_ms: Whole, timezone: &str) -> PyResult<i64> {
    with(timezone, |calendar| calendar.day_start(time_ms.0))
}

/// Return the first local midnight after the instant.
#[pyfunction]
pub(crate) fn next_day_start_ms(time_ms: Whole, timezone: &str) -> PyResult<i64> {
    with(timezone, |calendar| calendar.next_day_start(time_ms.0))
}

/// Return the first local midnight of a month's first day after the instant (月冻结).
#[pyfunction]
pub(crate) fn next_month_start_ms(time_ms: Whole, timezone: &str) -> PyResult<i64> {
    with(timezone, |calendar| calendar.next_month_start(time_ms.0))
}
