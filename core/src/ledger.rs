//! The open interval of one meter, its cumulative energy and carbon, and how intervals and freezes close.
//!
//! Shared by both integrators: they say what a step brought, the ledger says which intervals it falls into.

use crate::calendar::Calendar;
use crate::carbon::CarbonRegister;
use crate::edges::Edges;
use crate::error::{IntegrationError, ReadingFault, TimeOutOfRange};
use crate::outlet::Outlet;
use crate::record::{Freeze, FreezeKind, Interval, Quality};

/// The longest silence over which energy is spread and freezes are made: 400 days.
pub const MAX_SPAN_MS: i64 = 400 * 86_400_000;
/// The most intervals one call closes; a single step of [`MAX_SPAN_MS`] stays below it.
pub const MAX_CLOSED: usize = 4_000_000;

const MIN_INTERVAL_MS: i64 = 60_000;
const QUARTER_HOUR_MS: i64 = 900_000;

/// A value of the forward and of the reverse register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pair<T> {
    pub(crate) forward: T,
    pub(crate) reverse: T,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) start: i64,
    edges: Edges,
    /// Cumulative energy at the start.
    pub(crate) opening: Pair<i64>,
    pub(crate) readings: u32,
    /// Some of it is covered by steps.
    pub(crate) covered: bool,
    /// Some of it is not.
    pub(crate) partial: bool,
    /// A long step touches it.
    pub(crate) long: bool,
}

/// The ledger of one meter.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    calendar: Calendar,
    interval_ms: i64,
    measured_gap_ms: i64,
    pub(crate) open: Option<Open>,
    /// Cumulative energy at the last reading, mWh.
    pub(crate) energy: Pair<i64>,
    /// Carbon of the closed intervals.
    pub(crate) carbon: Pair<CarbonRegister>,
    /// Energy of closed intervals without a factor, mWh.
    pub(crate) pending: Pair<i64>,
}

impl Ledger {
    pub(crate) fn new(
        interval_ms: i64,
        timezone: &str,
        measured_gap_ms: i64,
    ) -> Result<Self, IntegrationError> {
        if interval_ms < MIN_INTERVAL_MS || QUARTER_HOUR_MS % interval_ms != 0 {
            return Err(IntegrationError::Setting {
                name: "interval_ms",
                value: interval_ms,
                expected: "a divisor of 900000, at least 60000 (a minute)",
            });
        }
        if measured_gap_ms < 0 {
            return Err(IntegrationError::Setting {
                name: "measured_gap_ms",
                value: measured_gap_ms,
                expected: "0 or more",
            });
        }
        Ok(Self {
            calendar: Calendar::new(timezone)?,
            interval_ms,
            measured_gap_ms,
            open: None,
            energy: Pair::default(),
            carbon: Pair::default(),
            pending: Pair::default(),
        })
    }

    fn edges(&self, slot_ms: i64, time_ms: i64) -> Result<(i64, Edges), TimeOutOfRange> {
        Edges::around(&self.calendar, self.interval_ms, slot_ms, time_ms)
    }

    /// Take the slot grid of a schedule; another one than before applies from the last reading on.
    pub(crate) fn use_slots(&mut self, slot_ms: i64, last_ms: i64) -> Result<(), TimeOutOfRange> {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.edges.slot_ms() != slot_ms)
        {
            let (_, edges) = self.edges(slot_ms, last_ms)?;
            if let Some(open) = &mut self.open {
                open.edges = edges;
            }
        }
        Ok(())
    }

    /// Put back an open interval that a state describes; its end follows from the settings.
    pub(crate) fn reopen(
        &mut self,
        open: RestoredOpen,
        last_ms: i64,
    ) -> Result<(), IntegrationError> {
        let (_, edges) = Edges::around(&self.calendar, self.interval_ms, open.slot_ms, last_ms)?;
        self.open = Some(Open {
            start: open.start,
            edges,
            opening: open.opening,
            readings: open.readings,
            covered: open.covered,
            partial: open.partial,
            long: open.long,
        });
        Ok(())
    }

    pub(crate) fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    pub(crate) fn slot_ms(&self) -> i64 {
        self.open.as_ref().map_or(0, |open| open.edges.slot_ms())
    }

    /// Metering starts with a reading at `time_ms` and the registers in `energy`.
    pub(crate) fn begin(&mut self, time_ms: i64, out: &mut Outlet) -> Result<(), ReadingFault> {
        let (start, edges) = self.edges(out.slot_ms, time_ms)?;
        let inside = time_ms > start;
        self.open = Some(Open {
            start,
            edges,
            opening: self.energy,
            readings: u32::from(inside),
            covered: false,
            partial: inside,
            long: false,
        });
        let before = time_ms.saturating_sub(1);
        let day = self.calendar.next_day_start(before);
        if day? == time_ms {
            let month = self.calendar.next_month_start(before)?;
            self.freeze(time_ms, month == time_ms, Quality::Measured, out);
        }
        Ok(())
    }

    fn freeze(&self, time_ms: i64, monthly: bool, quality: Quality, out: &mut Outlet) {
        let mut freeze = Freeze {
            time_ms,
            kind: FreezeKind::Daily,
            forward_mwh: self.energy.forward,
            reverse_mwh: self.energy.reverse,
            carbon_forward_ug: self.carbon.forward.ug(),
            carbon_reverse_ug: self.carbon.reverse.ug(),
            quality,
        };
        out.closed.freezes.push(freeze);
        if monthly {
            freeze.kind = FreezeKind::Monthly;
            out.closed.freezes.push(freeze);
        }
    }

    /// Energy flowed from `from_ms` to `to_ms`; `at` gives the cumulative energy in between.
    #[inline]
    pub(crate) fn covered(
        &mut self,
        from_ms: i64,
        to_ms: i64,
        energy: Pair<i64>,
        at: impl Fn(i64) -> Pair<i64>,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        let long = to_ms - from_ms > self.measured_gap_ms;
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.covered = true;
        open.long |= long;
        if to_ms < open.edges.end() {
            open.readings = open.readings.saturating_add(1);
            self.energy = energy;
            return Ok(());
        }
        self.cross(to_ms, energy, long, at, out)
    }

    fn cross(
        &mut self,
        to_ms: i64,
        energy: Pair<i64>,
        long: bool,
        at: impl Fn(i64) -> Pair<i64>,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        while let Some(open) = &mut self.open {
            let end = open.edges.end();
            if to_ms <= end {
                open.readings = open.readings.saturating_add(1);
            }
            if to_ms < end {
                break;
            }
            let read = to_ms == end;
            self.energy = if read { energy } else { at(end) };
            let quality = if long && !read {
                Quality::Interpolated
            } else {
                Quality::Measured
            };
            self.close(end, Some(quality), out)?;
            if read {
                break;
            }
            if let Some(open) = &mut self.open {
                open.covered = true;
                open.long = long;
            }
        }
        self.energy = energy;
        Ok(())
    }

    /// Nothing is known of what flowed between two readings.
    pub(crate) fn uncovered(
        &mut self,
        from_ms: i64,
        to_ms: i64,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        let too_long = to_ms - from_ms > MAX_SPAN_MS;
        while let Some(open) = &mut self.open {
            let end = open.edges.end();
            open.partial = true;
            if to_ms <= end {
                open.readings = open.readings.saturating_add(1);
            }
            if to_ms < end {
                break;
            }
            let inside = too_long && end < to_ms;
            let frozen = (!inside).then_some(Quality::Partial);
            self.close(end, frozen, out)?;
            if to_ms == end {
                break;
            }
            if too_long {
                // Years of empty intervals and freezes say nothing: go on in the interval of the reading.
                let (start, edges) = self.edges(out.slot_ms, to_ms - 1)?;
                if let Some(open) = &mut self.open {
                    open.start = start;
                    open.edges = edges;
                }
            }
        }
        Ok(())
    }

    /// Go on at another time: the open interval ends as partial, nothing is said of the time between.
    pub(crate) fn relocate(&mut self, time_ms: i64, out: &mut Outlet) -> Result<(), ReadingFault> {
        let (start, edges) = self.edges(out.slot_ms, time_ms)?;
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.partial = true;
        let end = open.edges.end();
        if (open.start..end).contains(&time_ms) {
            // It stays open: an interval that ended here would come a second time.
            return Ok(());
        }
        // A midnight of the wrong time is none.
        self.close(end, None, out)?;
        self.open = Some(Open {
            start,
            edges,
            opening: self.energy,
            readings: 0,
            covered: false,
            partial: true,
            long: false,
        });
        Ok(())
    }

    /// Close the open interval at its end, freeze if that is a midnight and its value is worth it, and open the next.
    fn close(
        &mut self,
        end: i64,
        frozen: Option<Quality>,
        out: &mut Outlet,
    ) -> Result<(), ReadingFault> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.covered || open.readings > 0 {
            if out.closed.intervals.len() >= MAX_CLOSED {
                return Err(ReadingFault::TooManyIntervals(MAX_CLOSED));
            }
            let forward = self.energy.forward - open.opening.forward;
            let reverse = self.energy.reverse - open.opening.reverse;
            let (factor, factor_quality) = out.factors.at(open.start);
            let (mut carbon_forward, mut carbon_reverse) = (0, 0);
            if let Some(factor) = factor {
                carbon_forward = self
                    .carbon
                    .forward
                    .add(forward, factor)
                    .ok_or(ReadingFault::CarbonOverflow("forward"))?;
                carbon_reverse = self
                    .carbon
                    .reverse
                    .add(reverse, factor)
                    .ok_or(ReadingFault::CarbonOverflow("reverse"))?;
            } else {
                self.pending.forward = self.pending.forward.saturating_add(forward);
                self.pending.reverse = self.pending.reverse.saturating_add(reverse);
            }
            out.closed.intervals.push(&Interval {
                start_ms: open.start,
                duration_ms: end - open.start,
                forward_mwh: forward,
                reverse_mwh: reverse,
                forward_total_mwh: self.energy.forward,
                reverse_total_mwh: self.energy.reverse,
                factor,
                factor_quality,
                carbon_forward_ug: carbon_forward,
                carbon_reverse_ug: carbon_reverse,
                carbon_forward_total_ug: self.carbon.forward.ug(),
                carbon_reverse_total_ug: self.carbon.reverse.ug(),
                readings: open.readings,
                quality: open.quality(),
            });
        }
        let midnight = open.edges.end_is_day().then(|| open.edges.end_is_month());
        open.start = end;
        open.opening = self.energy;
        open.readings = 0;
        open.covered = false;
        open.partial = false;
        open.long = false;
        open.edges.pass(&self.calendar)?;
        if let (Some(monthly), Some(quality)) = (midnight, frozen) {
            self.freeze(end, monthly, quality, out);
        }
        Ok(())
    }
}

impl Open {
    fn quality(&self) -> Quality {
        if self.partial {
            Quality::Partial
        } else if !self.long {
            Quality::Measured
        } else if self.readings > 0 {
            Quality::Interpolated
        } else {
            Quality::Estimated
        }
    }
}

/// What a state says of the open interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RestoredOpen {
    pub(crate) start: i64,
    pub(crate) slot_ms: i64,
    pub(crate) opening: Pair<i64>,
    pub(crate) readings: u32,
    pub(crate) covered: bool,
    pub(crate) partial: bool,
    pub(crate) long: bool,
}
