//! Reconciliation (数据协调) of telemetry that does not balance.
//!
//! Measurements z with standard deviations σ become x with Σ((x − z)/σ)² least, such that what flows into each node flows
//! out of it, and that no branch gives more than it takes. The equations of all nodes, (A C Aᵀ) λ = A z, are sparse and
//! have the form of a component of the flow: `elimination` solves them, without subtraction. A network that balances
//! comes back as it was.

mod chi_square;
mod judge;
mod outcome;
mod system;

pub use outcome::{Finding, Reading, ReconcileError, ReconcileSettings, Reconciliation, Which};

use super::grid::Grid;
use judge::{conclude, correlate, judge};
use system::System;

/// What was measured of one branch: into it at both ends, and its loss, if that is known from its resistance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchReading {
    /// Into the branch at its from end.
    pub from: Reading,
    /// Into the branch at its to end.
    pub to: Reading,
    /// What is lost on it.
    pub loss: Option<Reading>,
}

/// What was measured in one slot, in the order of the grid's elements.
#[derive(Debug, Clone, Copy)]
pub struct Readings<'a> {
    /// Of the branches.
    pub branches: &'a [BranchReading],
    /// Of the sources: into their nodes.
    pub sources: &'a [Reading],
    /// Of the loads: out of their nodes.
    pub loads: &'a [Reading],
    /// Of the storages: out of their nodes, charge less discharge.
    pub storages: &'a [Reading],
}

/// Reconcile the measurements of one slot.
///
/// A reading that is missing, or no number, has its value from the others. The reading with the largest normalised
/// residual is taken for bad where that is beyond the setting, is then treated as missing, and so on. Where several
/// readings are equally suspect, all are told and none is left out; the search goes on among the others as if they were
/// missing, so that they hide no other bad reading.
///
/// # Errors
/// For another number of readings than elements, a standard deviation or a setting that is none, and for a grid too
/// tangled to be solved.
pub fn reconcile(
    grid: &Grid,
    readings: &Readings<'_>,
    settings: &ReconcileSettings,
) -> Result<Reconciliation, ReconcileError> {
    outcome::check(grid, readings, settings)?;
    let mut system = System::new(grid, readings, settings.missing_sigma_megawatts);
    let before = system.measured_imbalance();
    let mut findings: Vec<Finding> = Vec::new();
    // What is reconciled in the end, once readings were set aside in `system` for the search only.
    let mut kept: Option<System> = None;
    for turn in 0.. {
        let (rounds, solved) = system.solve(settings.max_rounds)?;
        let residuals = correlate(&system, &solved);
        let suspects = judge(
            &system,
            &solved,
            &residuals,
            settings.max_normalised_residual,
        );
        let room = turn < settings.max_bad_readings;
        if suspects.is_empty() || !room {
            findings.extend(suspects);
            let Some(kept) = kept else {
                return Ok(conclude(
                    &system, &solved, residuals, findings, before, rounds,
                ));
            };
            system = kept;
            break;
        }
        let left_out = suspects.len() == 1;
        if !left_out && kept.is_none() {
            kept = Some(system.clone());
        }
        for suspect in suspects {
            system.discard(suspect.which);
            if let (Some(kept), true) = (&mut kept, left_out) {
                kept.discard(suspect.which);
            }
            findings.push(Finding {
                left_out,
                ..suspect
            });
        }
    }
    let (rounds, solved) = system.solve(settings.max_rounds)?;
    let residuals = correlate(&system, &solved);
    Ok(conclude(
        &system, &solved, residuals, findings, before, rounds,
    ))
}
