//! Sessions (充电会话): when a charger was at work, told by their edges, for all chargers or for some, always or at times.

use super::error::EstimationError;
use super::windows::{Windows, hours};

/// Where in a window a charger was active, in hours from its start. `first` > `last`: active until `last` and again from
/// `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Activity {
    pub(super) active: f64,
    pub(super) first: f64,
    pub(super) last: f64,
    /// Whether all sessions in it are told: energy without one is then another's.
    pub(super) told: bool,
}

/// From ever to ever.
const ALWAYS: [(i64, i64); 1] = [(i64::MIN, i64::MAX)];

impl Windows {
    /// Say when a charger was active: all of its sessions by their edges, in rising order, by its own clock. Without them
    /// the edges are inferred from the energies.
    ///
    /// # Errors
    /// For a charger that is not there, and for sessions that overlap or end before they begin.
    pub fn set_sessions(
        &mut self,
        charger: usize,
        sessions_ms: &[(i64, i64)],
    ) -> Result<(), EstimationError> {
        self.set_sessions_within(charger, sessions_ms, &ALWAYS)
    }

    /// The same where not all sessions are told: all of them only in windows that lie within the spans `told_ms`, in
    /// rising order. Elsewhere the sessions given are used too, and energy without one is no contradiction: its edges are
    /// inferred.
    ///
    /// # Errors
    /// For a charger that is not there, and for sessions or spans that overlap or end before they begin.
    pub fn set_sessions_within(
        &mut self,
        charger: usize,
        sessions_ms: &[(i64, i64)],
        told_ms: &[(i64, i64)],
    ) -> Result<(), EstimationError> {
        if charger >= self.chargers() {
            return Err(EstimationError::TooMany {
                name: "chargers",
                count: charger.saturating_add(1),
                limit: self.chargers(),
            });
        }
        rising("session", sessions_ms)?;
        rising("told span", told_ms)?;
        if self.activity.is_empty() {
            self.activity = vec![Activity::default(); self.len() * self.chargers()];
        }
        let chargers = self.chargers();
        let rows = self.activity.chunks_exact_mut(chargers);
        let (mut sessions, mut spans) = (sessions_ms, told_ms);
        for ((start, end), row) in self.start_ms.iter().zip(&self.end_ms).zip(rows) {
            sessions = after(sessions, *start);
            spans = after(spans, *start);
            let inside = sessions.iter().take_while(|session| session.0 < *end);
            if let Some(cell) = row.get_mut(charger) {
                *cell = activity(*start, *end, inside);
                cell.told = covered(*start, *end, spans);
            }
        }
        Ok(())
    }

    pub(super) fn activity(&self, window: usize, charger: usize) -> Activity {
        let cell = self.activity.get(window * self.chargers() + charger);
        cell.copied().unwrap_or_default()
    }

    pub(super) const fn has_sessions(&self) -> bool {
        !self.activity.is_empty()
    }
}

fn rising(name: &'static str, spans_ms: &[(i64, i64)]) -> Result<(), EstimationError> {
    let mut before_ms = i64::MIN;
    for (row, (start, end)) in spans_ms.iter().enumerate() {
        if *start < before_ms || end <= start {
            return Err(EstimationError::Order {
                name,
                row,
                before_ms: before_ms.max(*start),
                ms: if end <= start { *end } else { *start },
            });
        }
        before_ms = *end;
    }
    Ok(())
}

/// Without those that ended before.
fn after(spans: &[(i64, i64)], start: i64) -> &[(i64, i64)] {
    let gone = spans.partition_point(|span| span.1 <= start);
    spans.get(gone..).unwrap_or(&[])
}

/// Whether the spans, the first of which ends after the start, leave no gap from start to end.
fn covered(start: i64, end: i64, spans: &[(i64, i64)]) -> bool {
    let mut until = start;
    for (from, to) in spans {
        if until >= end || *from > until {
            break;
        }
        until = *to;
    }
    until >= end
}

fn activity<'a>(start: i64, end: i64, sessions: impl Iterator<Item = &'a (i64, i64)>) -> Activity {
    let mut sum = Activity::default();
    let (mut first_end, mut last_start, mut count) = (0.0, 0.0, 0);
    for (from, to) in sessions {
        let (from, to) = (
            hours(start, (*from).max(start)),
            hours(start, (*to).min(end)),
        );
        if count == 0 {
            sum.first = from;
            first_end = to;
        }
        last_start = from;
        sum.last = to;
        sum.active += to - from;
        count += 1;
    }
    // At both edges and not in between: the gap is what is to be known.
    if count > 1 && sum.first <= 0.0 && sum.last >= hours(start, end) {
        (sum.first, sum.last) = (last_start, first_end);
    }
    sum
}
