//! The typed errors of the crate.

use thiserror::Error;

/// A value is out of range or finer than its unit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// The text is not a plain decimal number.
    #[error("expected a decimal number, got {text:?}")]
    NotDecimal {
        /// The beginning of the text.
        text: String,
    },
    /// The value has digits below the unit of its integer.
    #[error("{text} is finer than {unit}, the unit it is kept in")]
    TooFine {
        /// The value as given.
        text: String,
        /// The unit of one integer step.
        unit: &'static str,
    },
    /// The value does not fit the integer it is kept in.
    #[error("{what} {text} is out of range: expected {expected}")]
    OutOfRange {
        /// Which quantity.
        what: &'static str,
        /// The value as given, or the operation.
        text: String,
        /// The range.
        expected: &'static str,
    },
    /// A rounding unit that is not positive.
    #[error("expected a positive rounding unit, got {text}")]
    Unit {
        /// The unit as given.
        text: String,
    },
    /// A relative error needs a true value other than 0.
    #[error("the relative error is undefined: the true value is 0")]
    ZeroTrueValue,
}

/// A carbon factor or its slot is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The slot length is outside its limits.
    #[error("slot length {slot_ms} ms: expected 60000 (a minute) to 86400000 (a day)")]
    SlotLength {
        /// The length given.
        slot_ms: i64,
    },
    /// A negative holding time.
    #[error("holding time {hold_ms} ms: expected 0 or more")]
    HoldTime {
        /// The time given.
        hold_ms: i64,
    },
    /// A start that is not a slot's start.
    #[error("slot start {start_ms} ms is not a multiple of the slot length {slot_ms} ms")]
    Misaligned {
        /// The start given.
        start_ms: i64,
        /// The schedule's slot length.
        slot_ms: i64,
    },
    /// An instant outside the supported years.
    #[error(transparent)]
    Time(#[from] TimeOutOfRange),
    /// Columns of different lengths.
    #[error("{starts} slot starts but {factors} factors")]
    Lengths {
        /// Number of starts.
        starts: usize,
        /// Number of factors.
        factors: usize,
    },
}

/// An instant outside the years the calendar computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("time {0} ms is outside the years 1 to 9998")]
pub struct TimeOutOfRange(pub i64);

/// What is wrong with one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadingFault {
    /// An instant outside the supported years.
    #[error(transparent)]
    Time(#[from] TimeOutOfRange),
    /// A register below zero.
    #[error("{0} register {1} mWh: expected 0 or more")]
    NegativeRegister(&'static str, i64),
    /// A power beyond what the trapezoid computes exactly.
    #[error("power {0} mW: expected at most 10^12 (1 GW) either way")]
    Power(i64),
    /// The cumulative energy leaves 64 bits.
    #[error("the cumulative {0} energy leaves 64 bits")]
    EnergyOverflow(&'static str),
    /// The cumulative carbon leaves 64 bits.
    #[error("the cumulative {0} carbon leaves 64 bits of µg")]
    CarbonOverflow(&'static str),
    /// One call would close too many intervals.
    #[error("more than {0} intervals would close in one call: feed fewer readings at a time")]
    TooManyIntervals(usize),
}

/// Columns of different lengths, a bad setting, or a state that can't be restored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntegrationError {
    /// Columns of different lengths.
    #[error("columns of different lengths: {times} times, {name} has {values}")]
    Lengths {
        /// Number of times.
        times: usize,
        /// The column that differs.
        name: &'static str,
        /// Its number of values.
        values: usize,
    },
    /// A setting outside its range.
    #[error("{name} = {value}: expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: i64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A name the bundled time-zone database does not have.
    #[error("unknown time zone {name:?}: expected an IANA name such as \"Asia/Shanghai\"")]
    TimeZone {
        /// The name given.
        name: String,
    },
    /// An instant outside the supported years.
    #[error(transparent)]
    Time(#[from] TimeOutOfRange),
    /// A reading that can't be taken; nothing of the call was.
    #[error("reading {row} of the call: {fault}")]
    Reading {
        /// Index of the reading in the call.
        row: usize,
        /// What is wrong with it.
        fault: ReadingFault,
    },
    /// Bytes that are not a state of this integrator.
    #[error("not a state of this integrator: {0}")]
    State(&'static str),
}
