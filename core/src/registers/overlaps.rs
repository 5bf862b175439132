//! Which of overlapping intervals counts.

use std::cmp::Reverse;

use super::bisect::bisect;
use super::row::Row;

/// The rows that don't overlap, in order of time: the better quality wins, then the later journal and record; of what
/// is alike in these, what comes first.
#[must_use]
pub fn without_overlaps(rows: &[Row]) -> Vec<Row> {
    let mut best: Vec<Row> = rows.to_vec();
    best.sort_by_key(|row| (row.quality, Reverse(row.journal), Reverse(row.sequence)));
    let mut kept: Vec<Row> = Vec::with_capacity(best.len());
    for row in best {
        // Those kept are disjoint and in order of time: only the neighbours can overlap.
        let place = bisect(&kept, |other| other.start_ms < row.start_ms);
        let earlier = place.checked_sub(1).and_then(|place| kept.get(place));
        let before = earlier.is_some_and(|other| other.end_ms() > row.start_ms);
        let after = kept
            .get(place)
            .is_some_and(|other| other.start_ms < row.end_ms());
        if !before && !after {
            kept.insert(place, row);
        }
    }
    kept
}
