//! Which of overlapping intervals counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::row::Row;

/// The rows that don't overlap, in order of time: the better quality wins, then the later journal and record; of what
/// is alike in these, what comes first.
#[must_use]
pub fn without_overlaps(rows: &[Row]) -> Vec<Row> {
    let mut best: Vec<Row> = rows.to_vec();
    best.sort_by_key(|row| (row.quality, Reverse(row.journal), Reverse(row.sequence)));
    // By start; of those that take no time the one that was kept last is first. Whatever order they come in, a day of
    // intervals of a second must not take seconds.
    let mut kept: BTreeMap<(i64, Reverse<usize>), Row> = BTreeMap::new();
    for (place, row) in best.into_iter().enumerate() {
        // Those kept are disjoint and in order of time: only the neighbours can overlap.
        let here = (row.start_ms, Reverse(usize::MAX));
        let earlier = kept.range(..here).next_back();
        let before = earlier.is_some_and(|(_, other)| other.end_ms() > row.start_ms);
        let later = kept.range(here..).next();
        let after = later.is_some_and(|(_, other)| other.start_ms < row.end_ms());
        if !before && !after {
            kept.insert((row.start_ms, Reverse(place)), row);
        }
    }
    kept.into_values().collect()
}
