//! What a call of an integrator carries along beside its ledger.

use crate::intervals::Room;
use crate::record::Closed;
use crate::schedule::{FactorCursor, FactorSchedule};

/// What a step needs beside the ledger: where factors come from and where rows go.
pub(crate) struct Outlet<'a> {
    pub(crate) factors: FactorCursor<'a>,
    pub(crate) slot_ms: i64,
    pub(crate) closed: Closed,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(schedule: &'a FactorSchedule) -> Self {
        Self {
            factors: schedule.cursor(),
            slot_ms: schedule.slot_ms(),
            closed: Closed::default(),
        }
    }

    /// Make room for the intervals that readings at these times will close, unless the times are absurd.
    pub(crate) fn reserve(&mut self, times_ms: &[i64], interval_ms: i64, room: Room) {
        if let [first, .., last] = times_ms {
            let intervals = last.saturating_sub(*first) / interval_ms.max(1);
            if let Ok(intervals) = usize::try_from(intervals) {
                let likely = intervals.min(times_ms.len().saturating_mul(2));
                self.closed.intervals.reserve(likely, room);
            }
        }
    }
}
