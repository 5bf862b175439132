//! What is refused as a whole. What is only odd in the data is a reason of the branch.

use std::fmt;

use thiserror::Error;

/// Whose column it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meter {
    /// The master meter.
    Master,
    /// A charger, by its number from 0.
    Charger(usize),
}

impl fmt::Display for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Master => formatter.write_str("master"),
            Self::Charger(number) => write!(formatter, "charger {number}"),
        }
    }
}

/// Columns that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DropError {
    /// Neither one voltage nor those of three phases.
    #[error("{0} columns of voltages: expected 1 or 3")]
    Voltages(usize),
    /// Columns of one meter that are not equally long.
    #[error("voltages {column}: expected {expected} values as of power_kw, got {got}")]
    Uneven {
        /// Which of the voltages, from 0.
        column: usize,
        /// How many there should be.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// A meter with more or fewer quarters than there are times.
    #[error("{meter}: expected {expected} quarters, got {got}")]
    Length {
        /// Whose.
        meter: Meter,
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
    #[error("times_ms {row}: {ms} ms is not after {before_ms} ms")]
    Order {
        /// Its row.
        row: usize,
        /// The time before.
        before_ms: i64,
        /// The time given.
        ms: i64,
    },
    /// A time zone that is none.
    #[error("utc_offset_minutes = {0}: expected -1440 to 1440")]
    Offset(i32),
}
