//! Losses of single branches by voltage drop (电压降): what each charger's own power does to its own voltage.
//!
//! A charger that takes P at the voltage V through a branch (支路) of the resistance R loses I²R = P·RP/V², and its voltage
//! is lower than that of the bus (母线) by the share RP/V² of itself: by Ohm's law the relative drop is the relative loss, of one
//! phase and of three. So from means over quarters of an hour of voltage and power
//!
//! ln Vᵢ(t) = aᵢ + dᵢ(t) + u(t) − ln(1 + bᵢPᵢ(t)) + eᵢ(t),  ln Vₘ(t) = aₘ + dₘ(t) + u(t) + c·Pₘ(t) + eₘ(t)
//!
//! the slope bᵢ, 1/kW, is the loss of the branch per power squared, as [`crate::estimation::Charger::branch_measured`] takes
//! it; u is the bus, whatever moves it; a is the gain of a meter on a local day, so that no voltage level, transformer ratio or
//! calibration has to be known, and meters may drift; d is what a meter drifts with the hour of the local day, the same every
//! day (waves of one turn and of two, with a prior): else vehicles that come by the clock would make a drop of it. Of the
//! master (总表) the trunk (干线) lies between it and the bus: c is its loss. R/V² is taken at the usual voltage, and the
//! result at the voltage while it charged.
//!
//! Where the power factor is not 1, drop and loss differ: loss/drop = (1 + t²)/(1 + ρt), t = tan φ, ρ = X/R of the branch.
//! Chargers with t within ±0.15 on cables with ρ up to 0.25 keep it within −1.5 and 6.2 %, 1.6 % in the root mean square.
//! That, harmonics and meters whose gain depends on their load are for the caller to add to u, which is of statistics alone.
//!
//! Two chargers behind one sub-feeder: the voltage of each follows the power of both. Its slope then has the common piece
//! in it, as its own power loses there, and what the other's power does is noise of this charger: u grows with it, and where
//! both charge at the same times as a rule the slope has a part of the other's. A charger with a load behind the same branch
//! that its meter doesn't see, likewise.
//!
//! The mean of three phases knows nothing of how they share the load: a charger for three phases that charges vehicles on one
//! loses more than it shows, up to six times as much with a neutral like its lines. Its phases beside each other tell that, and
//! how much more it loses ([`Balance`]); of a charger that shows one voltage nobody knows.
//!
//! u(t) and the gains are eliminated exactly, day by day, and the drifts group by group; what is left is a system with one
//! unknown per charger. Each meter weighs by its own scatter, residuals beyond 2.5 of it weigh less (Huber), and so do days
//! that contradict all others. Without a master, the chargers that idle tell the bus. More than [`GROUP`] chargers of one
//! voltage are taken in groups, of which each knows the bus well enough.

mod balance;
mod day;
mod drift;
mod eliminate;
mod error;
mod fit;
mod follow;
mod group;
mod meter;
mod noise;
mod panel;
mod phases;
mod result;
mod series;
mod student;
mod trunk;
mod uncertainty;

pub use balance::Balance;
pub use error::{DropError, Meter};
pub use group::GROUP;
pub use meter::{DropMeter, MAX_CELLS, MAX_QUARTERS};
pub use result::{DropBranch, DropEstimation, Follows, Reason, voltage_drop};

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "counts here are far below 2⁵²")]
const fn float(count: usize) -> f64 {
    count as f64
}
