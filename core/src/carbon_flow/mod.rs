//! Nodal carbon flow (碳排放流): which carbon factor (节点碳势) each node of a grid has in one slot, from measured flows.
//!
//! Zhou Tianrui, Kang Chongqing et al., 电力系统自动化 2012, 36(11):44-49, with losses borne where power is sent
//! (损耗留在支路): a branch hands on what it delivers, and its loss is a consumer at the sending node. Every factor is
//! then a mean of source factors, weighted by power, and lies between the smallest and the largest of them.
//!
//! Power is in MW, energy in `MWh`, a carbon factor in kgCO₂/kWh (= t/MWh), a carbon rate in t/h, time in hours, all
//! `f64`: these are estimates. A factor leaves as an integer by [`Solution::factor_mg_per_kwh`] only.
//! [`Settings::dead_below_megawatts`] and [`MAX_MEGAWATTS`] apart, any unit of power serves if all have the same.

mod arcs;
mod aside;
mod component;
mod day;
mod elimination;
mod error;
mod grid;
mod incidence;
mod inflow;
mod named;
mod order;
pub mod reconcile;
mod report;
mod settle;
mod slot;
mod solution;
mod storage;
mod walk;
mod workspace;

pub use day::{solve_day, solve_slots};
pub use error::{Element, Fault, FaultKind, GridError, SlotError};
pub use grid::Grid;
pub use named::{NamedGrid, Names};
pub use slot::{
    EndPowers, EndRegisters, Flows, Load, MAX_FACTOR, MAX_MEGAWATTS, Origin, Settings, Slot, Source,
};
pub use solution::{Balance, BranchCarbon, Quality, Solution, quantise};
pub use storage::{Storage, Tank};
pub use workspace::{Step, Workspace};
