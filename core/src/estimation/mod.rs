//! Remote error estimation (远程误差估计) by energy balance (能量平衡法): which charger behind a master meter meters wrongly,
//! by how much, and how sure that is.
//!
//! With master Mₜ and chargers xᵢₜ by window, yₜ = Mₜ − Σxᵢₜ = Σθᵢxᵢₜ + a·qₜ + Σbᵢqᵢₜ + P₀hₜ + … + vₜ, where
//! 1 + θᵢ = (1 + g)/(1 + eᵢ): eᵢ is the charger's error (indicated − true)/true, g the master's, q and qᵢ the integrals of
//! squared power that trunk and branches lose by, P₀ the fixed load. Noise is that of readings at the boundaries, so it is
//! tridiagonal, and generalised least squares with it reaches the bound of what the data say. Model error is the limit
//! then: priors say how large losses, gains and errors are likely to be, a mixture of sound and altered chargers leaves
//! the altered ones free, and a charger's clock offset is an unknown.
//!
//! The balance does not know the master's own gain, what all chargers have in common, nor the conversion efficiency of a
//! charger metered at its output. All of that comes from priors, certificates and verified chargers, and what it leaves
//! open is in every stated uncertainty.
//!
//! Energy is in kWh, power in kW, time in ms UTC, offsets in s, errors are relative: all `f64`, these are estimates.

mod accumulate;
mod chain;
mod conversion;
mod course;
mod daytime;
mod decide;
pub(crate) mod dense;
mod diagnose;
mod diagnose_series;
mod error;
mod finding;
mod joint;
mod layout;
pub(crate) mod limits;
mod mixture;
mod noise;
mod posterior;
mod priors;
mod reference;
mod result;
mod rows;
mod run;
mod sessions;
mod sets;
mod settings;
mod shape;
mod shown;
mod spread;
mod state;
mod table;
mod tally;
mod windows;

pub use accumulate::Accumulator;
pub use decide::{Decision, Reason, nonconformity, upper_tail};
pub use error::EstimationError;
pub use finding::{Finding, Suspicion};
pub use reference::Reference;
pub use result::{ChargerEstimate, Estimation, Residuals};
pub use run::estimate;
pub use settings::{Charger, Known, MAX_CHARGERS, Night, Settings};
pub use shown::Powers;
pub use windows::{MAX_WINDOWS, Windows};
