//! What is refused as a whole. What is only odd in the data is a finding of the estimate: see `diagnose`.

use thiserror::Error;

/// Settings, windows or a state that can't be taken; nothing of the call was.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EstimationError {
    /// A setting outside its range.
    #[error("{name} = {value}: expected {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// As given.
        value: f64,
        /// The range.
        expected: &'static str,
    },
    /// A setting of one charger outside its range.
    #[error("charger {charger}: {name} = {value}: expected {expected}")]
    Charger {
        /// Its number, from 0.
        charger: usize,
        /// Which setting.
        name: &'static str,
        /// As given.
        value: f64,
        /// The range.
        expected: &'static str,
    },
    /// A column of another length than the times or the chargers say.
    #[error("{name}: expected {expected} values, got {got}")]
    Length {
        /// The column.
        name: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// More of something than is taken.
    #[error("{count} {name}: expected at most {limit}")]
    TooMany {
        /// Of what.
        name: &'static str,
        /// How many came.
        count: usize,
        /// How many may.
        limit: usize,
    },
    /// Times that do not rise.
    #[error("{name} {row}: {ms} ms is not after {before_ms} ms")]
    Order {
        /// Of what.
        name: &'static str,
        /// Its row.
        row: usize,
        /// The time before.
        before_ms: i64,
        /// The time given.
        ms: i64,
    },
    /// No estimate comes of numbers as extreme as these.
    #[error("the normal equations can't be solved: the values are too far apart")]
    Unsolvable,
    /// Bytes that are not a state.
    #[error("not a state of an error estimation: {0}")]
    State(&'static str),
}
