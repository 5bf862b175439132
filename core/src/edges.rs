//! The boundaries of intervals: interval grid, factor slots and local midnights together.

use crate::calendar::{Calendar, Even};
use crate::error::TimeOutOfRange;

/// The next boundary of each kind after some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edges {
    interval_ms: i64,
    slot_ms: i64,
    next_interval: i64,
    next_slot: i64,
    next_day: i64,
    next_month: i64,
    even: Even,
}

fn next_multiple(time_ms: i64, step_ms: i64) -> i64 {
    time_ms - time_ms.rem_euclid(step_ms) + step_ms
}

impl Edges {
    /// The boundaries after `time_ms`, and the one at or before it.
    pub(crate) fn around(
        calendar: &Calendar,
        interval_ms: i64,
        slot_ms: i64,
        time_ms: i64,
    ) -> Result<(i64, Self), TimeOutOfRange> {
        let edges = Self {
            interval_ms,
            slot_ms,
            next_interval: next_multiple(time_ms, interval_ms),
            next_slot: next_multiple(time_ms, slot_ms),
            next_day: calendar.next_day_start(time_ms)?,
            next_month: calendar.next_month_start(time_ms)?,
            even: calendar.even(time_ms)?,
        };
        let start = (edges.next_interval - interval_ms)
            .max(edges.next_slot - slot_ms)
            .max(calendar.day_start(time_ms)?);
        Ok((start, edges))
    }

    /// The next boundary of any kind.
    #[inline]
    pub(crate) fn end(&self) -> i64 {
        self.next_interval.min(self.next_slot).min(self.next_day)
    }

    pub(crate) fn slot_ms(&self) -> i64 {
        self.slot_ms
    }

    pub(crate) fn end_is_day(&self) -> bool {
        self.next_day == self.end()
    }

    pub(crate) fn end_is_month(&self) -> bool {
        self.next_month == self.end()
    }

    /// Pass the next boundary.
    #[inline]
    pub(crate) fn pass(&mut self, calendar: &Calendar) -> Result<(), TimeOutOfRange> {
        let end = self.end();
        if self.next_interval == end {
            self.next_interval += self.interval_ms;
        }
        if self.next_slot == end {
            self.next_slot += self.slot_ms;
        }
        if self.next_day == end {
            self.next_day = calendar.after_midnight(end, &mut self.even)?;
            if self.next_month == end {
                self.next_month = calendar.next_month_start(end)?;
            }
        }
        Ok(())
    }
}
