//! What the station takes beside its chargers, by the time of day: a load by night, and a profile over the hours.

use super::settings::Night;
use super::windows::hours;

/// Blocks of the day's profile. They are hours of UTC: which of them are night is not for the profile to say.
pub(super) const BLOCKS: usize = 24;

const DAY_MS: i64 = 86_400_000;
const BLOCK_MS: i64 = 3_600_000;

/// Hours of the night in a window.
pub(super) fn night_hours(night: &Night, start_ms: i64, end_ms: i64) -> f64 {
    let from = i64::from(night.from_minute) * 60_000;
    let length = (i64::from(night.to_minute) * 60_000 - from).rem_euclid(DAY_MS);
    let from = from - i64::from(night.utc_offset_minutes) * 60_000;
    within(from, length, start_ms, end_ms)
}

/// Hours between two instants that lie in a part of the day, which begins at `from` and is so long.
fn within(from: i64, length: i64, start_ms: i64, end_ms: i64) -> f64 {
    // What lies in it from the start of the calendar to an instant.
    let until = |ms: i64| {
        let shifted = ms.saturating_sub(from);
        let whole = shifted.div_euclid(DAY_MS).saturating_mul(length);
        whole.saturating_add(shifted.rem_euclid(DAY_MS).min(length))
    };
    hours(until(start_ms), until(end_ms))
}

/// The hours of a window by block of the day; `first` is the column of the first block.
pub(super) fn profile(first: usize, start_ms: i64, end_ms: i64, cells: &mut Vec<(usize, f64)>) {
    let mut from = start_ms.rem_euclid(DAY_MS).div_euclid(BLOCK_MS) * BLOCK_MS;
    for _ in 0..BLOCKS {
        let hours = within(from, BLOCK_MS, start_ms, end_ms);
        if hours <= 0.0 {
            break;
        }
        let block = from.div_euclid(BLOCK_MS);
        cells.push((first + usize::try_from(block).unwrap_or(0), hours));
        from = (from + BLOCK_MS).rem_euclid(DAY_MS);
    }
}

/// The share of a block that is night.
pub(super) fn dark(night: &Night, block: usize) -> f64 {
    let from = i64::try_from(block).unwrap_or(0) * BLOCK_MS;
    night_hours(night, from, from + BLOCK_MS)
}
