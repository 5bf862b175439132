//! Reconciliation of a slot's measurements, and the slot that comes of it.

use std::sync::Arc;

use diantan_core::carbon_flow as core;
use diantan_core::carbon_flow::reconcile as balance;
use pyo3::prelude::*;

use crate::carbon_flow_input::{CarbonSlot, Number};
use crate::errors::CarbonFlowError;

/// (kind of element, id, which reading of it, measured, corrected, normalised residual, left out)
type FindingOut = (&'static str, String, &'static str, f64, f64, f64, bool);

/// A slot whose measurements balance, and what had to be done to them.
#[pyclass(module = "diantan_core", frozen)]
pub(crate) struct CarbonReconciliation {
    grid: Arc<core::NamedGrid>,
    done: balance::Reconciliation,
    slot: Py<CarbonSlot>,
    corrections: Vec<(f64, f64)>,
}

/// Standard deviations, and losses that are known.
pub(crate) struct Deviations {
    pub(crate) flows: Vec<(Number, Number)>,
    pub(crate) sources: Vec<Number>,
    pub(crate) loads: Vec<Number>,
    pub(crate) storages: Vec<Number>,
    pub(crate) losses: Option<Vec<Option<(Number, Number)>>>,
}

fn refused(error: &impl ToString) -> PyErr {
    CarbonFlowError::new_err(error.to_string())
}

fn same_length(what: &str, expected: usize, got: usize) -> PyResult<()> {
    if expected == got {
        return Ok(());
    }
    Err(CarbonFlowError::new_err(format!(
        "{got} {what}: the slot has {expected} values for them"
    )))
}

fn readings(powers: &[f64], sigmas: &[Number], what: &str) -> PyResult<Vec<balance::Reading>> {
    same_length(what, powers.len(), sigmas.len())?;
    let both = powers.iter().zip(sigmas);
    Ok(both
        .map(|(megawatts, sigma)| balance::Reading {
            megawatts: *megawatts,
            sigma: sigma.0,
        })
        .collect())
}

fn branches(slot: &CarbonSlot, deviations: &Deviations) -> PyResult<Vec<balance::BranchReading>> {
    let flows = slot.net_flows();
    same_length("flow_sigmas", flows.len(), deviations.flows.len())?;
    if let Some(losses) = &deviations.losses {
        same_length("losses", flows.len(), losses.len())?;
    }
    let loss = |index: usize| {
        let losses = deviations.losses.as_ref()?;
        let (megawatts, sigma) = losses.get(index).copied().flatten()?;
        Some(balance::Reading {
            megawatts: megawatts.0,
            sigma: sigma.0,
        })
    };
    let rows = flows.iter().zip(&deviations.flows).enumerate();
    Ok(rows
        .map(|(index, ((from, to), sigmas))| balance::BranchReading {
            from: balance::Reading {
                megawatts: *from,
                sigma: sigmas.0.0,
            },
            to: balance::Reading {
                megawatts: *to,
                sigma: sigmas.1.0,
            },
            loss: loss(index),
        })
        .collect())
}

pub(crate) fn reconcile(
    py: Python<'_>,
    grid: &Arc<core::NamedGrid>,
    slot: &CarbonSlot,
    deviations: &Deviations,
    settings: &balance::ReconcileSettings,
) -> PyResult<CarbonReconciliation> {
    let branches = branches(slot, deviations)?;
    let sources = readings(&slot.source_powers(), &deviations.sources, "source_sigmas")?;
    let loads = readings(&slot.load_powers(), &deviations.loads, "load_sigmas")?;
    let storages = readings(
        &slot.storage_powers(),
        &deviations.storages,
        "storage_sigmas",
    )?;
    let readings = balance::Readings {
        branches: &branches,
        sources: &sources,
        loads: &loads,
        storages: &storages,
    };
    let done = py
        .detach(|| balance::reconcile(&grid.grid, &readings, settings))
        .map_err(|error| refused(&error))?;
    let measured = branches.iter().zip(&done.branches);
    let corrections = measured
        .map(|(reading, [from, to])| (from - reading.from.megawatts, to - reading.to.megawatts))
        .collect();
    let slot = slot.corrected(&done.branches, &done.sources, &done.loads, &done.storages);
    Ok(CarbonReconciliation {
        grid: Arc::clone(grid),
        done,
        slot: Py::new(py, slot)?,
        corrections,
    })
}

/// What was added to a reading; None where there was none.
fn known(correction: f64) -> Option<f64> {
    correction.is_finite().then_some(correction)
}

#[pymethods]
impl CarbonReconciliation {
    #[getter]
    fn slot(&self, py: Python<'_>) -> Py<CarbonSlot> {
        self.slot.clone_ref(py)
    }

    #[getter]
    fn flow_corrections(&self) -> Vec<(Option<f64>, Option<f64>)> {
        let corrections = self.corrections.iter();
        corrections
            .map(|(from, to)| (known(*from), known(*to)))
            .collect()
    }

    #[getter]
    fn flows(&self) -> Vec<(f64, f64)> {
        let flows = self.done.branches.iter();
        flows.map(|[from, to]| (*from, *to)).collect()
    }

    #[getter]
    fn sources(&self) -> Vec<f64> {
        self.done.sources.clone()
    }

    #[getter]
    fn loads(&self) -> Vec<f64> {
        self.done.loads.clone()
    }

    #[getter]
    fn storages(&self) -> Vec<f64> {
        self.done.storages.clone()
    }

    #[getter]
    fn flow_residuals(&self) -> Vec<(Option<f64>, Option<f64>)> {
        let residuals = self.done.branch_residuals.iter();
        residuals.map(|[from, to]| (*from, *to)).collect()
    }

    #[getter]
    fn imbalances_before_megawatts(&self) -> Vec<f64> {
        self.done.imbalance_before.clone()
    }

    #[getter]
    fn imbalances_after_megawatts(&self) -> Vec<f64> {
        self.done.imbalance_after.clone()
    }

    #[getter]
    fn chi_square(&self) -> f64 {
        self.done.chi_square
    }

    #[getter]
    fn degrees_of_freedom(&self) -> usize {
        self.done.degrees_of_freedom
    }

    #[getter]
    fn probability(&self) -> f64 {
        self.done.probability
    }

    #[getter]
    fn ambiguous(&self) -> bool {
        self.done.ambiguous
    }

    #[getter]
    fn held(&self) -> Vec<String> {
        let held = self.done.held.iter();
        held.map(|branch| self.grid.branches.id(*branch)).collect()
    }

    #[getter]
    fn findings(&self) -> Vec<FindingOut> {
        let findings = self.done.findings.iter();
        findings
            .map(|finding| {
                let (element, index, which) = match finding.which {
                    balance::Which::From(index) => (core::Element::Branch, index, "from"),
                    balance::Which::To(index) => (core::Element::Branch, index, "to"),
                    balance::Which::Loss(index) => (core::Element::Branch, index, "loss"),
                    balance::Which::Source(index) => (core::Element::Source, index, "power"),
                    balance::Which::Load(index) => (core::Element::Load, index, "power"),
                    balance::Which::Storage(index) => (core::Element::Storage, index, "power"),
                };
                (
                    element.name(),
                    self.grid.names(element).id(index),
                    which,
                    finding.measured,
                    finding.corrected,
                    finding.normalised_residual,
                    finding.left_out,
                )
            })
            .collect()
    }

    fn __repr__(&self) -> String {
        format!(
            "<CarbonReconciliation: chi-square {:.3} at {} degrees of freedom, {} findings>",
            self.done.chi_square,
            self.done.degrees_of_freedom,
            self.done.findings.len()
        )
    }
}
