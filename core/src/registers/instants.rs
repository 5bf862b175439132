//! Instants at which a register is known.

use super::history::Known;
use super::{SLOT_MS, bisect::bisect, spans::joined};

/// Instants that are multiples of a slot, as spans [first, end) without overlap, rising.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instants(Vec<(i64, i64)>);

impl Instants {
    /// Those of what is known; `standing`: those too between two of one segment between which nothing was counted.
    pub(super) fn new(known: &[Known], standing: bool) -> Self {
        let spans = known
            .iter()
            .enumerate()
            .map(|(place, one)| {
                let after = known
                    .get(place + 1)
                    .filter(|after| standing && one.still(after));
                let end = one.time_ms.saturating_add(SLOT_MS);
                (
                    one.time_ms,
                    after.map_or(end, |after| after.time_ms.max(end)),
                )
            })
            .collect();
        Self(joined(spans))
    }

    /// The first of them, ms.
    #[must_use]
    pub fn first_ms(&self) -> Option<i64> {
        self.0.first().map(|span| span.0)
    }

    /// How many of the instants `first_ms`, `first_ms + step_ms`, … before `end_ms` are among them; none for a step
    /// that isn't positive.
    #[must_use]
    pub fn count(&self, first_ms: i64, end_ms: i64, step_ms: i64) -> usize {
        if step_ms <= 0 {
            return 0;
        }
        let begin = bisect(&self.0, |span| span.1 <= first_ms);
        let spans = self.0.iter().skip(begin);
        spans
            .take_while(|span| span.0 < end_ms)
            .map(|span| {
                let late = span.0.saturating_sub(first_ms).max(0);
                let skipped = late.saturating_add(step_ms - 1) / step_ms * step_ms;
                let first = first_ms.saturating_add(skipped);
                aligned(first, span.1.min(end_ms), step_ms)
            })
            .sum()
    }
}

/// How many multiples of a slot there are among first, first + step, … before end.
fn aligned(first_ms: i64, end_ms: i64, step_ms: i64) -> usize {
    let length = end_ms.saturating_sub(first_ms).max(0);
    let many = length.saturating_add(step_ms - 1) / step_ms;
    let many = usize::try_from(many).unwrap_or(usize::MAX);
    if first_ms % SLOT_MS == 0 && step_ms % SLOT_MS == 0 {
        return many;
    }
    let times = (0..many).scan(first_ms, |time_ms, _| {
        let now = *time_ms;
        *time_ms = now.saturating_add(step_ms);
        Some(now)
    });
    times.filter(|time_ms| time_ms % SLOT_MS == 0).count()
}
