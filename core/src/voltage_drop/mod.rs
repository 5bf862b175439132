//! Losses of single branches by voltage drop (电压降): what each charger's own power does to its own voltage.
//!
//! A charger that takes P at the voltage V through a branch (支路) of the resistance R loses I²R = P·RP/V², and its voltage
//! is lower than that of the bus (母线) by the share RP/V² of itself: by Ohm's law the relative drop is the relative loss, of one
//! phase and of three. So from means over quarters of an hour of voltage and power
//!
//! ln Vᵢ(t) = aᵢ + u(t) − ln(1 + bᵢPᵢ(t)) + eᵢ(t),  ln Vₘ(t) = aₘ + u(t) + c·Pₘ(t) + eₘ(t)
//!
//! the slope bᵢ, 1/kW, is the loss of the branch per power squared, as [`crate::estimation::Charger::branch_measured`] takes
//! it; u is the bus, whatever moves it; a is the gain of a meter on a local day, so that no voltage level, transformer ratio or
//! calibration has to be known, and meters may drift. Of the master (总表) the trunk (干线) lies between it and the bus: c is its
//! loss. R/V² is taken at the usual voltage, and the result at the voltage while it charged.
//!
//! Where the power factor is not 1, drop and loss differ: loss/drop = (1 + t²)/(1 + ρt), t = tan φ, ρ = X/R of the branch.
//! Chargers with t within ±0.15 on cables with ρ below 0.2 keep it within some 5 %. That, harmonics and meters whose gain
//! depends on their load are for the caller to add to u, which is of statistics alone.
//!
//! Two chargers behind one sub-feeder: the voltage of each follows the power of both. Its slope then has the common piece
//! in it, as its own power loses there, and what the other's power does is noise of this charger: u grows with it, and where
//! both charge at the same times as a rule the slope has a part of the other's. A charger with a load behind the same branch
//! that its meter doesn't see, likewise.
//!
//! The mean of three phases knows nothing of how they share the load: a charger for three phases that charges vehicles on one
//! loses more than it shows, up to six times as much with a neutral like its lines.
//!
//! u(t) and the gains are eliminated exactly, day by day; what is left is a system with one unknown per charger. Each meter
//! weighs by its own scatter, residuals beyond 2.5 of it weigh less (Huber), and so do days that contradict all others.
//! Without a master, the chargers that idle tell the bus. More than [`GROUP`] chargers of one voltage are taken in groups, of
//! which each knows the bus well enough.

mod day;
mod error;
mod fit;
mod follow;
mod group;
mod meter;
mod noise;
mod result;
mod series;
mod student;
mod trunk;
mod uncertainty;

pub use error::{DropError, Meter};
pub use group::GROUP;
pub use meter::{DropMeter, MAX_CELLS, MAX_QUARTERS};
pub use result::{DropBranch, DropEstimation, Follows, Reason, voltage_drop};

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "counts here are far below 2⁵²")]
const fn float(count: usize) -> f64 {
    count as f64
}
