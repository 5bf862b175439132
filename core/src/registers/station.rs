//! The registers of a station's meters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::clocks::Clocks;
use super::history::History;
use super::overlaps::without_overlaps;
use super::row::Row;

/// What is known of the registers of a station's meters; rows are added in order of time, day by day.
#[derive(Debug, Clone, Default)]
pub struct Registers {
    histories: BTreeMap<i64, Arc<History>>,
    imported: BTreeSet<i64>,
    inverted: BTreeSet<i64>,
}

impl Registers {
    /// Nothing yet; `imported`: meters some of whose records came from a file. `inverted`: those that count the other
    /// way round, of which all that is known is turned, as it flowed.
    #[must_use]
    pub const fn new(imported: BTreeSet<i64>, inverted: BTreeSet<i64>) -> Self {
        Self {
            histories: BTreeMap::new(),
            imported,
            inverted,
        }
    }

    /// Add intervals of meters that follow, in whatever order; of those that overlap among themselves the best count.
    /// Without clocks every one was right.
    pub fn add(&mut self, rows: &[(i64, Row)], mut clocks: Option<&mut Clocks>) {
        let mut by_meter: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for (meter, row) in rows {
            by_meter.entry(*meter).or_default().push(*row);
        }
        for (meter, mut found) in by_meter {
            found.sort_unstable();
            let pairs = found.iter().zip(found.iter().skip(1));
            if pairs
                .into_iter()
                .any(|(one, next)| one.end_ms() > next.start_ms)
            {
                found = without_overlaps(&found);
            }
            if self.inverted.contains(&meter) {
                for row in &mut found {
                    *row = row.turned();
                }
            }
            let imported = self.imported.contains(&meter);
            let history = self
                .histories
                .entry(meter)
                .or_insert_with(|| Arc::new(History::new(imported)));
            // Copied only where somebody still holds what was known until now.
            let history = Arc::make_mut(history);
            history.reserve(found.len());
            history.extend(&found, clocks.as_deref_mut());
        }
    }

    /// Of how many meters anything came.
    #[must_use]
    pub fn meters(&self) -> usize {
        self.histories.len()
    }

    /// A meter's history; an empty one where nothing came.
    #[must_use]
    pub fn of(&self, meter: i64) -> Arc<History> {
        self.histories
            .get(&meter)
            .map(Arc::clone)
            .unwrap_or_default()
    }
}
