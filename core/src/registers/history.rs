//! One meter's registers.

use super::bisect::bisect;
use super::column::Column;
use super::instants::Instants;
use super::row::{INTERPOLATED, MEASURED, PARTIAL, Row};
use super::{SLOT_MS, clocks::Clocks};

/// A register at an instant; registers of one segment can be subtracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The instant, ms.
    pub time_ms: i64,
    /// The register, mWh.
    pub forward_mwh: i128,
    /// The register of the other direction, mWh.
    pub reverse_mwh: i128,
    /// What it is comparable with.
    pub segment: u64,
}

impl Known {
    /// Forward less reverse, mWh.
    #[must_use]
    pub const fn net_mwh(&self) -> i128 {
        self.forward_mwh - self.reverse_mwh
    }

    /// Whether nothing was counted until a later instant, so that the register is known all the time.
    #[must_use]
    pub const fn still(&self, later: &Self) -> bool {
        self.segment == later.segment
            && self.forward_mwh == later.forward_mwh
            && self.reverse_mwh == later.reverse_mwh
    }

    const fn is(&self, time_ms: i64, register: (i128, i128)) -> bool {
        self.time_ms == time_ms && self.forward_mwh == register.0 && self.reverse_mwh == register.1
    }
}

/// Where a register was another one than it had been when it was read last: forward, before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// When it was read before, ms.
    pub before_ms: i64,
    /// When it was another one, ms.
    pub time_ms: i64,
    /// The register before, mWh.
    pub before_mwh: i128,
    /// The register then, mWh.
    pub after_mwh: i128,
}

/// What is known of one meter's registers, in the order in which it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    known: Vec<Known>,
    breaks: Vec<i64>,
    jumps: Vec<Jump>,
    unclear: u64,
    imported: bool,
    /// What each interval counted, by its start.
    counted: Vec<(i64, i128)>,
    segment: u64,
    journal: Option<i64>,
    last: Option<(i64, (i128, i128))>,
}

impl History {
    /// Nothing yet; `imported`: whether any of it comes from a file.
    #[must_use]
    pub fn new(imported: bool) -> Self {
        Self {
            imported,
            ..Self::default()
        }
    }

    /// Make room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.known.reserve(rows);
        self.counted.reserve(rows);
    }

    /// Add rows by a gateway's clock, each of which begins at or after the end of the one before.
    pub(super) fn extend(&mut self, rows: &[Row], clocks: Option<&mut Clocks>) {
        match clocks {
            None => rows.iter().for_each(|row| self.add(row, true)),
            Some(clocks) => rows
                .iter()
                .for_each(|row| self.add(row, clocks.trusted(row.journal, row.sequence))),
        }
    }

    /// Add an interval that begins at or after the end of the last one; `trusted`: by a clock that had not stepped.
    pub fn add(&mut self, row: &Row, trusted: bool) {
        let (opening, closing) = (row.opening(), row.closing());
        if trusted && row.quality == MEASURED && self.follows(row, opening) {
            // Nearly every row: all that is said of others below comes to this for it.
            self.known.push(self.found(row.end_ms(), closing));
        } else if row.quality == PARTIAL {
            self.journal = None;
            self.unclear += 1;
        } else {
            self.begin(row, opening);
            if row.quality == MEASURED && trusted {
                self.mark(row.start_ms, opening);
                self.mark(row.end_ms(), closing);
            } else if self.imported && trusted && row.quality == INTERPOLATED {
                // The last part of an interval that was divided: it ends where the meter was read.
                self.mark(row.end_ms(), closing);
            } else {
                self.unclear += 1;
            }
        }
        self.last = Some((row.end_ms(), closing));
        if row.forward_mwh != 0 || row.reverse_mwh != 0 {
            let energy = i128::from(row.forward_mwh) - i128::from(row.reverse_mwh);
            self.counted.push((row.start_ms, energy));
        }
    }

    /// Note where the register is another one than it was, and where it can't be compared.
    fn begin(&mut self, row: &Row, opening: (i128, i128)) {
        if let Some((before_ms, totals)) = self.last
            && opening.0 != totals.0
        {
            self.jumps.push(Jump {
                before_ms,
                time_ms: row.start_ms,
                before_mwh: totals.0,
                after_mwh: opening.0,
            });
        }
        if !self.goes_on(row, opening) {
            self.segment += 1;
            self.breaks.push(row.start_ms);
        }
        self.journal = Some(row.journal);
    }

    /// Whether it begins at the last instant known, with that register, and ends at a later one.
    fn follows(&self, row: &Row, opening: (i128, i128)) -> bool {
        self.journal == Some(row.journal)
            && self
                .known
                .last()
                .is_some_and(|one| one.segment == self.segment && one.is(row.start_ms, opening))
            && self.last == Some((row.start_ms, opening))
            && row.duration_ms > 0
            && row.end_ms() % SLOT_MS == 0
    }

    fn goes_on(&self, row: &Row, opening: (i128, i128)) -> bool {
        let Some((end_ms, totals)) = self.last else {
            return false;
        };
        if self.journal != Some(row.journal) {
            return false;
        }
        if row.start_ms == end_ms {
            return opening == totals;
        }
        // Records between are missing: the register tells what they counted, unless it went back.
        if self.imported && opening == totals {
            return false;
        }
        opening.0 >= totals.0 && opening.1 >= totals.1
    }

    fn mark(&mut self, time_ms: i64, register: (i128, i128)) {
        if time_ms % SLOT_MS != 0 {
            return;
        }
        let found = self.found(time_ms, register);
        match self.known.last_mut() {
            // Of two segments at one instant the one that goes on counts.
            Some(last) if last.time_ms == time_ms => *last = found,
            _ => self.known.push(found),
        }
    }

    const fn found(&self, time_ms: i64, register: (i128, i128)) -> Known {
        Known {
            time_ms,
            forward_mwh: register.0,
            reverse_mwh: register.1,
            segment: self.segment,
        }
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// When a new segment begins, ms.
    #[must_use]
    pub fn breaks(&self) -> &[i64] {
        &self.breaks
    }

    /// Where the register was another one.
    #[must_use]
    pub fn jumps(&self) -> &[Jump] {
        &self.jumps
    }

    /// Boundaries that are not used: not measured, or by a clock that had stepped.
    #[must_use]
    pub const fn unclear(&self) -> u64 {
        self.unclear
    }

    /// Whether any of it came from a file.
    #[must_use]
    pub const fn imported(&self) -> bool {
        self.imported
    }

    /// What the intervals that begin in [first, end) counted, of whatever quality; forward less reverse, mWh.
    #[must_use]
    pub fn counted_mwh(&self, first_ms: i64, end_ms: i64) -> i128 {
        let span = first_ms..end_ms;
        let inside = self.counted.iter().filter(|one| span.contains(&one.0));
        inside.map(|one| one.1).sum()
    }

    /// What is known in [first, last], and one instant before and after for what held still.
    #[must_use]
    pub fn between(&self, first_ms: i64, last_ms: i64) -> &[Known] {
        let begin = bisect(&self.known, |one| one.time_ms < first_ms).saturating_sub(1);
        let end = bisect(&self.known, |one| one.time_ms <= last_ms) + 1;
        let end = end.min(self.known.len());
        self.known.get(begin..end).unwrap_or(&[])
    }

    /// What was counted from the last instant known until `first_ms` to the first one known since `last_ms`: (ms
    /// between them, mWh). None where there is no such instant, or they can't be compared.
    #[must_use]
    pub fn over(&self, first_ms: i64, last_ms: i64) -> Option<(i64, i128)> {
        let begin = bisect(&self.known, |one| one.time_ms <= first_ms).checked_sub(1)?;
        let end = bisect(&self.known, |one| one.time_ms < last_ms);
        let (opening, closing) = (self.known.get(begin)?, self.known.get(end)?);
        (opening.segment == closing.segment).then(|| {
            let length_ms = closing.time_ms.saturating_sub(opening.time_ms);
            (length_ms, closing.net_mwh() - opening.net_mwh())
        })
    }

    /// The step that the net register shows, mWh: what divides all that it counted from one instant to the next.
    #[must_use]
    pub fn step_mwh(&self) -> u128 {
        let pairs = self.known.iter().zip(self.known.iter().skip(1));
        pairs
            .map(|(one, after)| after.net_mwh().abs_diff(one.net_mwh()))
            .fold(0, gcd)
    }

    /// The instants at which it is known; `standing`: those too between which it stood still.
    #[must_use]
    pub fn instants(&self, standing: bool) -> Instants {
        Instants::new(&self.known, standing)
    }

    /// The net register at `count` instants from `begin_ms`, one after every slot.
    ///
    /// One that stands still is known where it would have been read, after `every` slots: a coarse one stands still for
    /// most of every hour, and what was counted then comes at its end.
    #[must_use]
    pub fn column(&self, begin_ms: i64, count: usize, every: usize) -> Column {
        Column::of(self, begin_ms, count, every.max(1))
    }
}

fn gcd(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}
