//! What gateways knew of their clocks when they sent records (时钟状态).

use std::collections::BTreeMap;

use super::bisect::bisect;
use super::spans::joined;

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

/// Records as spans [first, end) without overlap, rising.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    stepped: Vec<(i64, i64)>,
    unknown: Vec<(i64, i64)>,
}

/// By journal, what was sent by clocks that were anything but right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clocks {
    journals: BTreeMap<i64, Told>,
    unknown: u64,
}

impl Clocks {
    /// Say what was sent of a journal, in whatever order; it stands for what was said of it before.
    ///
    /// A gateway that was started again sends what was not acknowledged anew, in larger messages than before: they lie
    /// about those in which some of it came.
    pub fn know(&mut self, journal: i64, sent: &[Sent]) {
        let of = |state: i64| {
            let those = sent.iter().filter(|one| one.state == state);
            joined(those.map(|one| (one.first, one.end)).collect())
        };
        let told = Told {
            stepped: of(STEPPED),
            unknown: of(UNKNOWN),
        };
        self.journals.insert(journal, told);
    }

    /// Whether all of them were right.
    #[must_use]
    pub fn right(&self) -> bool {
        let mut all = self.journals.values();
        all.all(|told| told.stepped.is_empty() && told.unknown.is_empty())
    }

    /// How many records were asked for that no clock had confirmed.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Whether the clock had not stepped; what no clock has confirmed is counted, and used.
    pub fn trusted(&mut self, journal: i64, sequence: i64) -> bool {
        let Some(told) = self.journals.get(&journal) else {
            return true;
        };
        if among(&told.stepped, sequence) {
            return false;
        }
        if among(&told.unknown, sequence) {
            self.unknown += 1;
        }
        true
    }
}

fn among(spans: &[(i64, i64)], sequence: i64) -> bool {
    let place = bisect(spans, |span| span.1 <= sequence);
    spans.get(place).is_some_and(|span| span.0 <= sequence)
}
