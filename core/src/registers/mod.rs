//! What is known of meters' registers (示数) at aligned instants, and windows of a station from that.
//!
//! Nothing is interpolated. A register is known at both ends of an interval of measured quality; it goes on being
//! comparable (a segment) until an interval lacks energy, the journal changes, or the register is not what it was plus
//! what was counted.
//!
//! What was imported from a file of energies has no register of its own: across a gap its sum stands as if nothing had
//! been counted, and so a register that stands still across a gap says nothing there. An hour that was divided among
//! quarters, for their factors, is known at its ends.
//!
//! Energy is in mWh, time in ms UTC. Rows are 64-bit integers, and whatever comes of them is counted in 128 bits: no sum
//! of fewer than 2⁶⁰ rows leaves those. Records have times up to 2⁵³ ms; a sum of times beyond 64 bits, which no record
//! has, stays at their end.

mod bisect;
mod clocks;
mod column;
mod history;
mod instants;
mod listed;
mod overlaps;
mod row;
mod spans;
mod station;

pub use clocks::{Clocks, Sent};
pub use column::{Column, kwh, windows};
pub use history::{History, Jump, Known};
pub use instants::Instants;
pub use listed::listed;
pub use overlaps::without_overlaps;
pub use row::{INTERPOLATED, MEASURED, PARTIAL, Row};
pub use station::Registers;

/// Registers are compared at multiples of it: a quarter of an hour.
pub const SLOT_MS: i64 = 900_000;
