//! What is refused before any windows are made.

use super::error::EstimationError;
use super::settings::MAX_CHARGERS;
use super::windows::MAX_WINDOWS;

/// Refuse a column of another length.
pub(crate) fn length(
    name: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), EstimationError> {
    if expected == got {
        Ok(())
    } else {
        Err(EstimationError::Length {
            name,
            expected,
            got,
        })
    }
}

/// Refuse more of something than is taken.
pub(super) fn too_many(
    name: &'static str,
    count: usize,
    limit: usize,
) -> Result<(), EstimationError> {
    if count <= limit {
        Ok(())
    } else {
        Err(EstimationError::TooMany { name, count, limit })
    }
}

/// Refuse too many chargers or windows, and times that do not rise.
pub(super) fn check(
    times_ms: &[i64],
    chargers: usize,
    count: usize,
) -> Result<(), EstimationError> {
    too_many("chargers", chargers, MAX_CHARGERS)?;
    too_many("windows", count, MAX_WINDOWS)?;
    let pairs = times_ms.iter().zip(times_ms.iter().skip(1));
    for (row, (before_ms, ms)) in pairs.enumerate() {
        if ms <= before_ms {
            return Err(EstimationError::Order {
                name: "time",
                row: row + 1,
                before_ms: *before_ms,
                ms: *ms,
            });
        }
    }
    Ok(())
}
