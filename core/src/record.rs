//! What integration yields: closed intervals, freezes and events.

use crate::intervals::Intervals;
use crate::quantity::Factor;
use crate::schedule::FactorQuality;

/// How the energy of an interval, or the value of a freeze, is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Quality {
    /// Every step between readings that touches it is short.
    Measured = 0,
    /// A long step touches it, but a reading lies in the interval.
    Interpolated = 1,
    /// No reading lies in the interval.
    Estimated = 2,
    /// Part of the interval is not covered.
    Partial = 3,
}

/// One closed interval. It never spans a factor slot or a local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Start, ms UTC.
    pub start_ms: i64,
    /// Duration, ms.
    pub duration_ms: i64,
    /// Energy forward (正向) of the interval, mWh.
    pub forward_mwh: i64,
    /// Energy reverse (反向) of the interval, mWh.
    pub reverse_mwh: i64,
    /// Cumulative energy forward at its end, mWh.
    pub forward_total_mwh: i64,
    /// Cumulative energy reverse at its end, mWh.
    pub reverse_total_mwh: i64,
    /// The factor; None: undefined, the energy is pending and the carbon 0.
    pub factor: Option<Factor>,
    /// Where the factor came from.
    pub factor_quality: FactorQuality,
    /// Carbon forward of the interval, µg: the change of the floored register.
    pub carbon_forward_ug: i64,
    /// Carbon reverse of the interval, µg.
    pub carbon_reverse_ug: i64,
    /// Cumulative carbon forward at its end, µg, floored.
    pub carbon_forward_total_ug: i64,
    /// Cumulative carbon reverse at its end, µg, floored.
    pub carbon_reverse_total_ug: i64,
    /// Readings in (start, end].
    pub readings: u32,
    /// How the energy is known.
    pub quality: Quality,
}

/// Daily (日冻结) or monthly (月冻结).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FreezeKind {
    /// At every local midnight.
    Daily = 0,
    /// At the local midnight of a month's first day, beside the daily one.
    Monthly = 1,
}

/// Cumulative values at a local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// The midnight, ms UTC.
    pub time_ms: i64,
    /// Daily or monthly.
    pub kind: FreezeKind,
    /// Cumulative energy forward, mWh.
    pub forward_mwh: i64,
    /// Cumulative energy reverse, mWh.
    pub reverse_mwh: i64,
    /// Cumulative carbon forward, µg, floored.
    pub carbon_forward_ug: i64,
    /// Cumulative carbon reverse, µg, floored.
    pub carbon_reverse_ug: i64,
    /// Measured, interpolated or partial.
    pub quality: Quality,
}

/// What happened to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// The register passed its largest value (翻转).
    Rollover = 1,
    /// The register fell, and not by a rollover.
    Reset = 2,
    /// The meter was exchanged (换表).
    Exchange = 3,
    /// The register rose more than the power allows, or after too long a silence.
    Jump = 4,
    /// No readings for too long.
    Gap = 5,
    /// A reading not later than the last one.
    TimeBack = 6,
}

/// Which register an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Forward (正向).
    Forward = 0,
    /// Reverse (反向).
    Reverse = 1,
    /// Both, or the reading as a whole.
    Both = 2,
}

/// Something that integration noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Time of the reading that showed it, ms UTC.
    pub time_ms: i64,
    /// What happened.
    pub kind: EventKind,
    /// To which register.
    pub direction: Direction,
    /// The value before: register in mWh, or time in ms for gaps and times.
    pub before: i64,
    /// The value after.
    pub after: i64,
}

/// What one call closed, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closed {
    /// Closed intervals.
    pub intervals: Intervals,
    /// Freezes.
    pub freezes: Vec<Freeze>,
    /// Events.
    pub events: Vec<Event>,
}
