//! What gateways knew of their clocks when they sent records (时钟状态).

use std::collections::BTreeMap;

use super::bisect::bisect;

/// Codes of the wire.
const UNKNOWN: i64 = 0;
const STEPPED: i64 = 2;

/// Records that a gateway sent at once, by a clock that was not known to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The first record.
    pub first: i64,
    /// The one after the last.
    pub end: i64,
    /// What the clock was: a code of the wire.
    pub state: i64,
}

/// By journal, what was sent by clocks that were anything but right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clocks {
    journals: BTreeMap<i64, Vec<Sent>>,
    unknown: u64,
}

impl Clocks {
    /// Say what was sent of a journal, by rising first record; it stands for what was said of it before.
    pub fn know(&mut self, journal: i64, sent: Vec<Sent>) {
        self.journals.insert(journal, sent);
    }

    /// Whether all of them were right.
    #[must_use]
    pub fn right(&self) -> bool {
        self.journals.values().all(Vec::is_empty)
    }

    /// How many records were asked for that no clock had confirmed.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Whether the clock had not stepped; what no clock has confirmed is counted, and used.
    pub fn trusted(&mut self, journal: i64, sequence: i64) -> bool {
        let Some(sent) = self.journals.get(&journal) else {
            return true;
        };
        let place = bisect(sent, |one| one.first <= sequence);
        let Some(one) = place.checked_sub(1).and_then(|place| sent.get(place)) else {
            return true;
        };
        if sequence >= one.end {
            return true;
        }
        if one.state == UNKNOWN {
            self.unknown += 1;
        }
        one.state != STEPPED
    }
}
