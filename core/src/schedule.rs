//! The carbon factors of one node, slot by slot.

use crate::calendar::in_range;
use crate::error::{ScheduleError, TimeOutOfRange};
use crate::quantity::Factor;

/// Where the factor of a slot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FactorQuality {
    /// The slot's own factor (下发).
    Dispatched = 0,
    /// The last one before it (沿用).
    Held = 1,
    /// The configured default (缺省).
    Default = 2,
    /// No factor (未定义).
    Undefined = 3,
}

/// Slots from a minute to a day.
const SLOT_LIMITS: std::ops::RangeInclusive<i64> = 60_000..=86_400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    start_ms: i64,
    factor: Option<Factor>,
}

/// The carbon factors of one node: entries for slots, the last one held for a while, then a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorSchedule {
    slot_ms: i64,
    hold_ms: Option<i64>,
    default: Option<Factor>,
    entries: Vec<Entry>,
}

impl FactorSchedule {
    /// An empty schedule.
    ///
    /// # Errors
    /// When the slot is shorter than a minute or longer than a day, or the holding time is negative.
    pub fn new(
        slot_ms: i64,
        default: Option<Factor>,
        hold_ms: Option<i64>,
    ) -> Result<Self, ScheduleError> {
        if !SLOT_LIMITS.contains(&slot_ms) {
            return Err(ScheduleError::SlotLength { slot_ms });
        }
        if let Some(hold_ms) = hold_ms
            && hold_ms < 0
        {
            return Err(ScheduleError::HoldTime { hold_ms });
        }
        Ok(Self {
            slot_ms,
            hold_ms,
            default,
            entries: Vec::new(),
        })
    }

    /// The slot length in ms; slots start at its multiples.
    #[must_use]
    pub const fn slot_ms(&self) -> i64 {
        self.slot_ms
    }

    fn check(&self, start_ms: i64) -> Result<(), ScheduleError> {
        if !in_range(start_ms) {
            return Err(TimeOutOfRange(start_ms).into());
        }
        if start_ms.rem_euclid(self.slot_ms) != 0 {
            return Err(ScheduleError::Misaligned {
                start_ms,
                slot_ms: self.slot_ms,
            });
        }
        Ok(())
    }

    fn insert(&mut self, entry: Entry) {
        if self
            .entries
            .last()
            .is_none_or(|last| last.start_ms < entry.start_ms)
        {
            self.entries.push(entry);
            return;
        }
        match self
            .entries
            .binary_search_by_key(&entry.start_ms, |known| known.start_ms)
        {
            Ok(found) => {
                if let Some(known) = self.entries.get_mut(found) {
                    *known = entry;
                }
            }
            Err(place) => self.entries.insert(place, entry),
        }
    }

    /// Enter the factor of one slot (None: the node has no factor there), replacing what it had.
    ///
    /// # Errors
    /// When `start_ms` is not a multiple of the slot length.
    pub fn set(&mut self, start_ms: i64, factor: Option<Factor>) -> Result<(), ScheduleError> {
        self.check(start_ms)?;
        self.insert(Entry { start_ms, factor });
        Ok(())
    }

    /// Enter several slots: all of them or none.
    ///
    /// # Errors
    /// When the columns differ in length or a start is not a multiple of the slot length.
    pub fn extend(
        &mut self,
        starts_ms: &[i64],
        factors: &[Option<Factor>],
    ) -> Result<(), ScheduleError> {
        if starts_ms.len() != factors.len() {
            return Err(ScheduleError::Lengths {
                starts: starts_ms.len(),
                factors: factors.len(),
            });
        }
        for &start_ms in starts_ms {
            self.check(start_ms)?;
        }
        for (&start_ms, &factor) in starts_ms.iter().zip(factors) {
            self.insert(Entry { start_ms, factor });
        }
        Ok(())
    }

    /// The factor of the slot that contains the instant, and where it came from.
    #[must_use]
    pub fn at(&self, time_ms: i64) -> (Option<Factor>, FactorQuality) {
        self.cursor().at(time_ms)
    }

    /// A reader for instants that mostly rise.
    #[must_use]
    pub fn cursor(&self) -> FactorCursor<'_> {
        FactorCursor {
            schedule: self,
            after: 0,
        }
    }

    /// Drop the entries of slots that ended by the instant, except the last one, which is still held.
    pub fn forget_before(&mut self, time_ms: i64) -> usize {
        let ended = self
            .entries
            .partition_point(|entry| entry.start_ms.saturating_add(self.slot_ms) <= time_ms);
        let dropped = ended.saturating_sub(1);
        self.entries.drain(..dropped);
        dropped
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn resolve(&self, entry: Option<Entry>, time_ms: i64) -> (Option<Factor>, FactorQuality) {
        if let Some(entry) = entry {
            let since_start = time_ms.saturating_sub(entry.start_ms);
            if since_start < self.slot_ms {
                return entry
                    .factor
                    .map_or((None, FactorQuality::Undefined), |factor| {
                        (Some(factor), FactorQuality::Dispatched)
                    });
            }
            let since_end = since_start - since_start.rem_euclid(self.slot_ms) - self.slot_ms;
            if self.hold_ms.is_none_or(|hold_ms| since_end < hold_ms) {
                return entry
                    .factor
                    .map_or((None, FactorQuality::Undefined), |factor| {
                        (Some(factor), FactorQuality::Held)
                    });
            }
        }
        self.default
            .map_or((None, FactorQuality::Undefined), |factor| {
                (Some(factor), FactorQuality::Default)
            })
    }
}

/// Looks factors up near the last one, so that a run of rising instants costs no search.
#[derive(Debug, Clone)]
pub struct FactorCursor<'a> {
    schedule: &'a FactorSchedule,
    /// Number of entries that start at or before the last instant asked for.
    after: usize,
}

impl FactorCursor<'_> {
    /// As [`FactorSchedule::at`].
    pub fn at(&mut self, time_ms: i64) -> (Option<Factor>, FactorQuality) {
        const NEAR: usize = 4;
        let entries = &self.schedule.entries;
        let not_after = |index: usize| entries.get(index).is_some_and(|e| e.start_ms <= time_ms);
        let mut steps = 0;
        while steps < NEAR && not_after(self.after) {
            self.after += 1;
            steps += 1;
        }
        let behind = self.after > 0 && !not_after(self.after - 1);
        if steps == NEAR || behind {
            self.after = entries.partition_point(|entry| entry.start_ms <= time_ms);
        }
        let entry = self.after.checked_sub(1).and_then(|i| entries.get(i));
        self.schedule.resolve(entry.copied(), time_ms)
    }
}
