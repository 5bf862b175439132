//! Exact energy and carbon arithmetic of Diantan. It knows no Python and no clock.
//!
//! Quantities are integers whose unit is in their type or name: energy in mWh, power in mW, carbon factor in
//! mg/kWh, carbon in ng, time in ms UTC.
#![forbid(unsafe_code)]

pub mod adjustment;
pub mod batch;
pub mod calendar;
mod carbon;
pub mod carbon_flow;
pub mod cbor;
pub mod decimal;
pub mod dlt645;
pub mod dlt698;
mod edges;
pub mod error;
pub mod estimation;
pub mod intervals;
mod ledger;
mod outlet;
pub mod power;
pub mod quantity;
pub mod record;
pub mod register;
pub mod registers;
pub mod relative_error;
pub mod residual;
pub mod rounding;
pub mod schedule;
mod settings;
pub mod split;
mod state;
mod step;
mod trapezoid;
pub mod voltage_drop;

pub use ledger::{MAX_CLOSED, MAX_SPAN_MS};
